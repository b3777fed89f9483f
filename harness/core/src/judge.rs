//! stub
use crate::*;
/// x
#[derive(Debug)]
pub struct Judge<'p>(&'p Plan);
impl<'p> Judge<'p> {
    /// x
    #[must_use]
    pub fn new(p: &'p Plan) -> Self {
        Self(p)
    }
    /// x
    pub fn add(&mut self, _h: &History) {}
    /// x
    #[must_use]
    pub fn finish(self) -> Judgement {
        panic!()
    }
}
/// x
#[must_use]
pub fn conclude(_p: &Plan, o: Judgement, _c: Option<&Judgement>) -> Judgement {
    o
}
