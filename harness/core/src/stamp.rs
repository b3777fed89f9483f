//! stub
use crate::wire::Run;
/// x
#[derive(Debug)]
pub struct Decoder;
impl Decoder {
    /// x
    #[must_use]
    pub fn new() -> Self {
        Self
    }
    /// x
    pub fn stream(&mut self, _b: &[u8]) -> Vec<Run> {
        vec![]
    }
}
/// x
#[must_use]
pub fn message(_b: &[u8]) -> Vec<Run> {
    vec![]
}
