//! The simplest scenarios there are, one or two an ability: what no agent may get wrong.

use spec::{Ability, Mechanism, Scenario, load};

/// The scenarios for these mechanisms.
///
/// # Errors
/// When one does not load, which would be a fault of ours.
pub(super) fn scenarios(mechanisms: &[Mechanism]) -> anyhow::Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    for mechanism in mechanisms {
        for (name, text) in texts(*mechanism) {
            let id = format!("agent-check/{name}");
            let text = text.replace("MECHANISM", mechanism.name());
            let scenario = load::text(&id, &format!("{id}.yaml"), &text)
                .map_err(|complaints| anyhow::anyhow!("a sample does not load: {}", complaints.render(false)))?;
            scenarios.push(scenario);
        }
    }
    Ok(scenarios)
}

fn texts(mechanism: Mechanism) -> &'static [(&'static str, &'static str)] {
    match mechanism.ability() {
        // A terminal's end of file is not the end of a stream, so a run cannot read `until: end`.
        Ability::Stream if mechanism == Mechanism::Pty => &[("stream", include_str!("samples/stream.yaml"))],
        Ability::Stream => &[
            ("stream", include_str!("samples/stream.yaml")),
            ("stream-runs", include_str!("samples/stream-runs.yaml")),
        ],
        Ability::Queue => &[("queue", include_str!("samples/queue.yaml"))],
        Ability::Memory => &[("memory", include_str!("samples/memory.yaml"))],
        Ability::Counter => &[("counter", include_str!("samples/counter.yaml"))],
        Ability::Lock => &[("lock", include_str!("samples/lock.yaml"))],
        Ability::Wake => match mechanism {
            Mechanism::Barrier => &[("barrier", include_str!("samples/barrier.yaml"))],
            Mechanism::Condvar => &[("condvar", include_str!("samples/condvar.yaml"))],
            _ => &[("wake", include_str!("samples/wake.yaml"))],
        },
        Ability::Signals => &[("signals", include_str!("samples/signals.yaml"))],
    }
}

#[cfg(test)]
mod tests {
    use super::scenarios;
    use spec::vocabulary::MECHANISMS;

    #[test]
    fn there_is_a_sample_for_every_mechanism_and_it_loads() {
        for row in MECHANISMS {
            assert!(!scenarios(&[row.mechanism]).unwrap().is_empty(), "{}", row.name);
        }
    }
}
