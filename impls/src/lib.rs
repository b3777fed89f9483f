//! Reference implementations of every mechanism behind abilities, and the agent that offers them.
