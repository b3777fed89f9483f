//! The parts of an instance's id: `property/name[mechanism,parameter=value]`.

/// The parts of an id, as far as it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'i> {
    /// `property/name`.
    pub scenario: &'i str,
    /// What stands before the first slash.
    pub property: &'i str,
    /// What stands first in the brackets.
    pub mechanism: &'i str,
    /// The rest of the brackets.
    pub parameters: &'i str,
}

/// Takes an id apart. What an id lacks is empty.
#[must_use]
pub fn parts(id: &str) -> Parts<'_> {
    let (scenario, brackets) = id.split_once('[').unwrap_or((id, ""));
    let brackets = brackets.strip_suffix(']').unwrap_or(brackets);
    let (mechanism, parameters) = brackets.split_once(',').unwrap_or((brackets, ""));
    let property = scenario.split_once('/').map_or("", |(property, _)| property);
    Parts { scenario, property, mechanism, parameters }
}

/// Whether an id is that of a control: controls are evidence for others and appear in no report of their own.
#[must_use]
pub fn is_control(id: &str) -> bool {
    parts(id).parameters.split(',').any(|parameter| parameter == "control")
}

#[cfg(test)]
mod tests {
    use super::{Parts, is_control, parts};

    #[test]
    fn ids_come_apart() {
        assert_eq!(
            parts("boundaries/whole[pipe,size=1,senders=2]"),
            Parts {
                scenario: "boundaries/whole",
                property: "boundaries",
                mechanism: "pipe",
                parameters: "size=1,senders=2"
            }
        );
        assert_eq!(parts("mine"), Parts { scenario: "mine", property: "", mechanism: "", parameters: "" });
    }

    #[test]
    fn controls_are_known_by_their_last_word() {
        assert!(is_control("boundaries/whole[pipe,control]"));
        assert!(!is_control("boundaries/whole[pipe]"));
        assert!(!is_control("boundaries/control[pipe,size=1]"));
    }
}
