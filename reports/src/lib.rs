//! Findings to terminal, JUnit, KTAP, portrait and comparison: pure text.
