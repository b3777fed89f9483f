//! Cells: what is measured, of which mechanism, with how much, by how many, and where they run.

use crate::wire::measure::Task;
use serde::{Deserialize, Serialize};
use spec::{Mechanism, vocabulary::Feature};
use std::{fmt, str::FromStr};

/// What is done, and so what a figure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// There and back, one after another: how long each takes.
    RoundTrip,
    /// One way, as fast as it goes: how many messages arrive in a time.
    OneWay,
    /// There and back, without a copy: only the number of a message is written and looked at, where it lies.
    RoundTripInPlace,
    /// One way, without a copy: only the number of a message is written and looked at, where it lies.
    OneWayInPlace,
    /// One way, without a copy: every byte is written and looked at where it lies.
    OneWayFilled,
    /// One way, several messages at once.
    OneWayBatch,
    /// One way at so many percent of what [`Self::OneWay`] reaches: how late messages are that nobody holds back.
    OpenLoop(u8),
    /// Taken and given back: how many times in a time, by all together.
    Take,
    /// Taken in common with others and given back.
    TakeShared,
    /// A round trip of signals, accepted by `sigwaitinfo()`.
    Sigwait,
    /// A round trip of signals with a value, accepted by `sigwaitinfo()`.
    Sigqueue,
    /// A round trip of signals, read from a `signalfd()`.
    Signalfd,
    /// A round trip of signals, caught by a handler.
    Handler,
}

impl Shape {
    /// Whether it is a round trip, of whatever.
    #[must_use]
    pub fn is_round_trip(self) -> bool {
        matches!(
            self,
            Self::RoundTrip | Self::RoundTripInPlace | Self::Sigwait | Self::Sigqueue | Self::Signalfd | Self::Handler
        )
    }

    /// Whether messages go one way, one after another, as fast as they go.
    #[must_use]
    pub fn is_one_way(self) -> bool {
        matches!(self, Self::OneWay | Self::OneWayInPlace | Self::OneWayFilled | Self::OneWayBatch)
    }

    /// Whether parties do it side by side rather than to one another.
    #[must_use]
    pub fn is_taking(self) -> bool {
        matches!(self, Self::Take | Self::TakeShared)
    }

    /// As agents are told.
    #[must_use]
    pub fn task(self) -> Task {
        match self {
            Self::RoundTrip => Task::RoundTrip,
            Self::OneWay => Task::OneWay,
            Self::RoundTripInPlace => Task::RoundTripInPlace,
            Self::OneWayInPlace => Task::OneWayInPlace,
            Self::OneWayFilled => Task::OneWayFilled,
            Self::OneWayBatch => Task::OneWayBatch,
            Self::OpenLoop(_) => Task::OpenLoop,
            Self::Take => Task::Take,
            Self::TakeShared => Task::TakeShared,
            Self::Sigwait => Task::Sigwait,
            Self::Sigqueue => Task::Sigqueue,
            Self::Signalfd => Task::Signalfd,
            Self::Handler => Task::Handler,
        }
    }

    /// What its one figure is: nanoseconds, in the median or on average.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            shape if shape.is_one_way() => "ns a message",
            Self::OpenLoop(_) => "ns late",
            Self::Take | Self::TakeShared => "ns an operation",
            _ => "ns a round trip",
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoundTrip => formatter.write_str("round_trip"),
            Self::OneWay => formatter.write_str("one_way"),
            Self::RoundTripInPlace => formatter.write_str("round_trip_in_place"),
            Self::OneWayInPlace => formatter.write_str("one_way_in_place"),
            Self::OneWayFilled => formatter.write_str("one_way_filled"),
            Self::OneWayBatch => formatter.write_str("one_way_batch"),
            Self::OpenLoop(percent) => write!(formatter, "open_loop_{percent}"),
            Self::Take => formatter.write_str("take"),
            Self::TakeShared => formatter.write_str("take_shared"),
            Self::Sigwait => formatter.write_str("sigwait"),
            Self::Sigqueue => formatter.write_str("sigqueue"),
            Self::Signalfd => formatter.write_str("signalfd"),
            Self::Handler => formatter.write_str("handler"),
        }
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "round_trip" => Self::RoundTrip,
            "one_way" => Self::OneWay,
            "round_trip_in_place" => Self::RoundTripInPlace,
            "one_way_in_place" => Self::OneWayInPlace,
            "one_way_filled" => Self::OneWayFilled,
            "one_way_batch" => Self::OneWayBatch,
            "take" => Self::Take,
            "take_shared" => Self::TakeShared,
            "sigwait" => Self::Sigwait,
            "sigqueue" => Self::Sigqueue,
            "signalfd" => Self::Signalfd,
            "handler" => Self::Handler,
            other => {
                let percent = other.strip_prefix("open_loop_").and_then(|percent| percent.parse().ok());
                Self::OpenLoop(percent.ok_or_else(|| format!("`{other}` is no shape"))?)
            }
        })
    }
}

/// Where the parties run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Placement {
    /// All on one processor.
    OneCore,
    /// On two processors, which go to sleep when there is nothing to do.
    TwoCores,
    /// On two processors that are kept awake.
    TwoAwake,
    /// Where the system puts them.
    Free,
}

impl Placement {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 4] = [Self::OneCore, Self::TwoCores, Self::TwoAwake, Self::Free];

    /// The word in ids.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OneCore => "one_core",
            Self::TwoCores => "two_cores",
            Self::TwoAwake => "two_awake",
            Self::Free => "free",
        }
    }

    /// The words in reports.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::OneCore => "one core",
            Self::TwoCores => "two cores",
            Self::TwoAwake => "two cores, awake",
            Self::Free => "free",
        }
    }

    /// Whether figures are steady enough to be compared with those of another day. What wakes a sleeping processor, or is put
    /// somewhere else each time, is not.
    #[must_use]
    pub fn is_steady(self) -> bool {
        matches!(self, Self::OneCore | Self::TwoAwake)
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One thing that can be measured. Its id is `pipe/round_trip/64/one_core`; the number is bytes in a message, or parties of those that
/// take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// Of what.
    pub mechanism: Mechanism,
    /// What.
    pub shape: Shape,
    /// Bytes in a message; 0 where there is none.
    pub bytes: u64,
    /// How many take part.
    pub parties: u8,
    /// Where they run.
    pub placement: Placement,
}

impl Cell {
    /// Of two parties that send each other so many bytes.
    #[must_use]
    pub fn between_two(mechanism: Mechanism, shape: Shape, bytes: u64, placement: Placement) -> Self {
        Self { mechanism, shape, bytes, parties: 2, placement }
    }

    /// Of so many parties that take.
    #[must_use]
    pub fn of_takers(mechanism: Mechanism, shape: Shape, parties: u8, placement: Placement) -> Self {
        Self { mechanism, shape, bytes: 0, parties, placement }
    }

    /// Whether its figure, as a multiple of its floor, is steady enough to be compared with that of another day.
    ///
    /// Lateness never is. Where the kernel leaves work to a thread of its own, it matters most on which processor that one runs. And where
    /// both processors are busy, it matters how far they are from each other, which a hypervisor changes: of a round trip the floor, a
    /// hand-over, changes alike, of anything else it does not.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        let by_distance = self.placement == Placement::TwoAwake && !self.shape.is_round_trip();
        self.placement.is_steady()
            && !matches!(self.shape, Shape::OpenLoop(_))
            && !self.mechanism.has(Feature::Deferred)
            && !by_distance
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mechanism, shape, bytes, parties, placement } = self;
        let number = if shape.is_taking() { u64::from(*parties) } else { *bytes };
        write!(formatter, "{mechanism}/{shape}/{number}/{placement}")
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let [mechanism, shape, number, placement] = parts.as_slice() else {
            return Err(format!("`{text}` is no cell, as `pipe/round_trip/64/one_core`"));
        };
        let mechanism = Mechanism::from_name(mechanism).ok_or_else(|| format!("`{mechanism}` is no mechanism"))?;
        let shape: Shape = shape.parse()?;
        let number: u64 = number.parse().map_err(|_| format!("`{number}` is no number"))?;
        let placement = Placement::ALL.into_iter().find(|known| known.name() == *placement);
        let placement = placement.ok_or_else(|| format!("`{text}` has no placement"))?;
        Ok(if shape.is_taking() {
            let parties = u8::try_from(number).map_err(|_| format!("`{text}` has too many parties"))?;
            Self::of_takers(mechanism, shape, parties, placement)
        } else {
            Self::between_two(mechanism, shape, number, placement)
        })
    }
}

impl Serialize for Cell {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Placement, Shape};
    use rstest::rstest;
    use spec::Mechanism;

    #[rstest]
    #[case(Cell::between_two(Mechanism::Pipe, Shape::RoundTrip, 64, Placement::OneCore), "pipe/round_trip/64/one_core")]
    #[case(
        Cell::between_two(Mechanism::ShmRing, Shape::OneWayInPlace, 4096, Placement::TwoAwake),
        "shm_ring/one_way_in_place/4096/two_awake"
    )]
    #[case(Cell::of_takers(Mechanism::Flock, Shape::TakeShared, 4, Placement::Free), "flock/take_shared/4/free")]
    #[case(
        Cell::between_two(Mechanism::Udp, Shape::OpenLoop(80), 64, Placement::TwoAwake),
        "udp/open_loop_80/64/two_awake"
    )]
    fn ids_are_written_and_read(#[case] cell: Cell, #[case] id: &str) {
        assert_eq!(cell.to_string(), id);
        assert_eq!(id.parse(), Ok(cell));
    }

    #[rstest]
    #[case("pipe/round_trip/64/one_core", true)]
    #[case("pipe/one_way/64/one_core", true)]
    #[case("posix_shm/round_trip/64/two_awake", true)]
    #[case("posix_shm/one_way/64/two_awake", false)]
    #[case("pthread_mutex/take/2/two_awake", false)]
    #[case("pipe/round_trip/64/two_cores", false)]
    #[case("pipe/open_loop_50/64/one_core", false)]
    #[case("tcp/round_trip/64/one_core", false)]
    fn what_the_hypervisor_or_a_thread_of_the_kernel_decides_is_not_steady(#[case] id: &str, #[case] expected: bool) {
        assert_eq!(id.parse::<Cell>().unwrap().is_steady(), expected);
    }

    #[rstest]
    #[case("pipe/round_trip/64")]
    #[case("pigeon/round_trip/64/one_core")]
    #[case("pipe/sideways/64/one_core")]
    #[case("pipe/round_trip/many/one_core")]
    #[case("pipe/round_trip/64/somewhere")]
    #[case("flock/take/300/one_core")]
    fn what_is_no_id_is_refused(#[case] id: &str) {
        assert!(id.parse::<Cell>().is_err());
    }
}
