//! Which instances a command is about: filters, paths, mechanisms, properties, partitions.

use crate::{Failure, corpus::Corpus};
use harness_core::expand::{self, InstanceName};
use spec::{Mechanism, Scenario, vocabulary::PROPERTIES};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use wildmatch::WildMatch;

/// The arguments that select instances.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Selection {
    /// Substrings or globs (`*`, `?`) of instance ids; scenario files or folders
    #[arg(value_name = "FILTER|FILE|DIRECTORY")]
    pub filters: Vec<String>,
    /// Only instances on this mechanism; may be given several times
    #[arg(long = "mechanism", short = 'm', value_name = "MECHANISM", value_parser = mechanism)]
    pub mechanisms: Vec<Mechanism>,
    /// Only scenarios about this property; may be given several times
    #[arg(long = "property", short = 'p', value_name = "PROPERTY", value_parser = property)]
    pub properties: Vec<String>,
    /// Only the I-th of N parts of the instances, as `hash:1/4`
    #[arg(long, value_name = "hash:I/N")]
    pub partition: Option<Partition>,
}

fn mechanism(name: &str) -> Result<Mechanism, String> {
    Mechanism::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = spec::vocabulary::MECHANISMS.iter().map(|row| row.name).collect();
        format!("there is no such mechanism; known are {}", names.join(", "))
    })
}

fn property(name: &str) -> Result<String, String> {
    if PROPERTIES.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(format!("there is no such property; known are {}", PROPERTIES.join(", ")))
}

/// One of several parts of the instances, the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    part: u64,
    parts: u64,
}

impl std::str::FromStr for Partition {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let complain = || "write `hash:I/N`, with I from 1 to N, as `hash:1/4`".to_owned();
        let (part, parts) = text.strip_prefix("hash:").and_then(|rest| rest.split_once('/')).ok_or_else(complain)?;
        let (part, parts) = (part.parse().map_err(|_| complain())?, parts.parse().map_err(|_| complain())?);
        if part == 0 || part > parts { Err(complain()) } else { Ok(Self { part, parts }) }
    }
}

impl Partition {
    fn has(self, id: &str) -> bool {
        hash(id) % self.parts == self.part - 1
    }
}

/// FNV-1a over the id's bytes, mixed until every bit depends on all of them. It has to be the same in every version and on
/// every machine.
fn hash(id: &str) -> u64 {
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

/// An instance that was selected, and its scenario.
#[derive(Clone, Debug)]
pub struct Selected<'c> {
    /// The instance.
    pub name: InstanceName,
    /// Its scenario.
    pub scenario: &'c Scenario,
}

/// Filters and paths, told apart.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    /// Files and folders outside the corpus: they are run in its stead.
    pub paths: Vec<PathBuf>,
    filters: Vec<Filter>,
}

impl Sorted {
    /// The scenarios of the corpus that are meant, where each is named: nobody else's file has to be read, or to be right.
    fn scenarios(&self) -> Option<BTreeSet<&str>> {
        let named = self.filters.iter().map(Filter::scenario);
        named.collect::<Option<BTreeSet<_>>>().filter(|named| !named.is_empty())
    }
}

#[derive(Clone, Debug)]
enum Filter {
    /// This scenario, whatever it runs on.
    Scenario(String),
    /// Every scenario in a folder of the corpus.
    Folder(String),
    Glob(WildMatch),
    Substring(String),
}

impl Filter {
    fn of(text: &str) -> Self {
        if text.contains(['*', '?']) { Self::Glob(WildMatch::new(text)) } else { Self::Substring(text.to_owned()) }
    }

    /// The one scenario that it is about, where it names one of the corpus: by its file, or by the whole id of an instance.
    fn scenario(&self) -> Option<&str> {
        let id = match self {
            Self::Scenario(id) => id,
            Self::Substring(text) => text.strip_suffix(']')?.split_once('[')?.0,
            Self::Folder(_) | Self::Glob(_) => return None,
        };
        // An id has one spelling: a path that leads there by a detour names nothing.
        let is_plain = id.split('/').all(|part| !matches!(part, "" | "." | ".."));
        (is_plain && Corpus::file(id).is_file()).then_some(id)
    }

    fn has(&self, name: &InstanceName) -> bool {
        match self {
            Self::Scenario(id) => name.scenario == *id,
            Self::Folder(folder) => {
                name.scenario.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
            // A glob of a scenario's id stands for all its instances.
            Self::Glob(glob) => glob.matches(&name.id) || glob.matches(&name.scenario),
            Self::Substring(text) => name.id.contains(text.as_str()),
        }
    }
}

impl Selection {
    /// Loads what the arguments name: the corpus, or what is run in its stead.
    ///
    /// # Errors
    /// When a path is not there, or a scenario does not load.
    pub fn load(&self) -> anyhow::Result<(Corpus, Sorted)> {
        let sorted = self.sorted()?;
        let corpus = match sorted.scenarios() {
            _ if !sorted.paths.is_empty() => Corpus::of_paths(&sorted.paths)?,
            Some(ids) => Corpus::own_scenarios(&ids)?,
            None => Corpus::own()?,
        };
        Ok((corpus, sorted))
    }

    fn sorted(&self) -> anyhow::Result<Sorted> {
        let corpus = std::fs::canonicalize(Corpus::folder()).ok();
        let mut sorted = Sorted::default();
        for text in &self.filters {
            let path = Path::new(text);
            let is_explicit = text.ends_with(".yaml") || text.starts_with(['.', '/']);
            let is_path = is_explicit || (path.exists() && !is_in_corpus(text));
            if !is_path {
                sorted.filters.push(Filter::of(text));
                continue;
            }
            let full = std::fs::canonicalize(path).map_err(|error| {
                Failure::usage(format!("cannot read `{text}`: {error}; give a scenario's file, a folder, or a filter"))
            })?;
            match corpus.as_ref().and_then(|corpus| full.strip_prefix(corpus).ok()) {
                Some(inside) if inside.as_os_str().is_empty() => {}
                Some(inside) if full.is_dir() => sorted.filters.push(Filter::Folder(inside.display().to_string())),
                Some(inside) => {
                    let id = inside.with_extension("").display().to_string();
                    sorted.filters.push(Filter::Scenario(id));
                }
                None => sorted.paths.push(path.to_owned()),
            }
        }
        Ok(sorted)
    }

    /// The instances of the corpus that are meant.
    #[must_use]
    pub fn apply<'c>(&self, corpus: &'c Corpus, sorted: &Sorted) -> Vec<Selected<'c>> {
        let all = corpus
            .scenarios
            .iter()
            .flat_map(|scenario| expand::names(scenario).into_iter().map(move |name| Selected { name, scenario }));
        let all: Vec<Selected<'c>> = all.collect();
        // The whole id of an instance means that one, also where it is a part of another.
        let exact: Vec<&String> =
            self.filters.iter().filter(|text| all.iter().any(|selected| selected.name.id == **text)).collect();
        let is_meant = |selected: &Selected<'_>| {
            let name = &selected.name;
            let by_filter = match (sorted.filters.is_empty(), exact.len() == sorted.filters.len()) {
                (true, _) => true,
                (false, true) => exact.contains(&&name.id),
                (false, false) => sorted.filters.iter().any(|filter| filter.has(name)),
            };
            by_filter
                && (self.mechanisms.is_empty() || self.mechanisms.contains(&name.mechanism))
                && (self.properties.is_empty() || self.properties.iter().any(|property| is_about(name, property)))
                && self.partition.is_none_or(|partition| partition.has(&name.id))
        };
        all.into_iter().filter(is_meant).collect()
    }

    /// Whether everything is meant.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.filters.is_empty() && self.mechanisms.is_empty() && self.properties.is_empty() && self.partition.is_none()
    }

    /// The arguments in words, for a record and for messages.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mechanisms = self.mechanisms.iter().map(|mechanism| format!("--mechanism {mechanism}"));
        let properties = self.properties.iter().map(|property| format!("--property {property}"));
        let partition = self.partition.map(|Partition { part, parts }| format!("--partition hash:{part}/{parts}"));
        self.filters.iter().cloned().chain(mechanisms).chain(properties).chain(partition).collect()
    }
}

fn is_about(name: &InstanceName, property: &str) -> bool {
    reports::instance_id::parts(&name.id).property == property
}

/// Whether a word that is also a file or a folder here is meant as a filter of the corpus all the same.
fn is_in_corpus(text: &str) -> bool {
    PROPERTIES.contains(&text.trim_end_matches('/')) || Corpus::folder().join(text).exists()
}

#[cfg(test)]
mod tests {
    use super::{Partition, Selection, hash};
    use crate::corpus::Corpus;
    use rstest::rstest;

    #[rstest]
    #[case::a_file(&["spec/scenarios/ordering/end-of-stream.yaml"], Some(1))]
    #[case::an_instance(&["ordering/end-of-stream[pipe]"], Some(1))]
    #[case::both_and_another(
        &["spec/scenarios/ordering/end-of-stream.yaml", "ordering/end-of-stream[pipe]", "priority/queue-highest-first[posix_mq]"],
        Some(2)
    )]
    #[case::no_instance(&["ordering/end-of-stream[no_mechanism]"], Some(1))]
    #[case::no_scenario(&["ordering/end-of-nothing[pipe]"], None)]
    #[case::a_detour(&["ordering/../ordering/end-of-stream[pipe]"], None)]
    #[case::a_part_of_ids(&["end-of-stream"], None)]
    #[case::a_folder(&["spec/scenarios/ordering"], None)]
    #[case::one_named_and_a_part(&["ordering/end-of-stream[pipe]", "fifo"], None)]
    #[case::everything(&[], None)]
    fn only_what_is_named_is_read(#[case] filters: &[&str], #[case] files: Option<usize>) {
        let root = crate::workspace::root();
        let full = |text: &&str| {
            if text.starts_with("spec/") { root.join(text).display().to_string() } else { (*text).to_owned() }
        };
        let selection = Selection { filters: filters.iter().map(full).collect(), ..Selection::default() };
        let (corpus, sorted) = selection.load().unwrap();
        let whole = Corpus::own().unwrap();
        assert_eq!(corpus.scenarios.len(), files.unwrap_or(whole.scenarios.len()));
        let ids = |corpus| {
            let selected = selection.apply(corpus, &sorted);
            selected.into_iter().map(|selected| selected.name.id).collect::<Vec<String>>()
        };
        assert_eq!(ids(&corpus), ids(&whole));
    }

    #[rstest]
    #[case("hash:1/1", true)]
    #[case("hash:4/4", true)]
    #[case("hash:0/4", false)]
    #[case("hash:5/4", false)]
    #[case("hash:1/0", false)]
    #[case("count:1/2", false)]
    #[case("hash:one/2", false)]
    #[case("", false)]
    fn partitions_are_checked(#[case] text: &str, #[case] is_good: bool) {
        assert_eq!(text.parse::<Partition>().is_ok(), is_good);
    }

    #[test]
    fn every_instance_is_in_exactly_one_part() {
        for id in ["a[pipe]", "b[fifo,size=1]", "ordering/end-of-stream[tcp]"] {
            let parts = (1..=7).filter(|part| Partition { part: *part, parts: 7 }.has(id)).count();
            assert_eq!(parts, 1, "{id}");
        }
    }

    #[test]
    fn parts_are_of_like_size() {
        let ids: Vec<String> = (0..400).map(|number| format!("races/writers[pipe,size={number}]")).collect();
        for part in 1..=4 {
            let size = ids.iter().filter(|id| Partition { part, parts: 4 }.has(id)).count();
            assert!((60..140).contains(&size), "part {part} has {size} of 400");
        }
    }

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash("ordering/end-of-stream[pipe]") % 1000, 919);
    }
}
