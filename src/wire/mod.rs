//! Octets to frames and back. Knows no verbs.

pub(crate) mod dot;
mod input;
mod line;
pub(crate) mod literal;
mod output;

pub(crate) use input::Input;
pub(crate) use output::Output;
