//! The header of a message, as far as its envelope is written there (RFC 5322).
//!
//! Bytes in, and none of MIME: fields are found by their names, addresses by their brackets and
//! at-signs, and everything else is passed over.
//!
//! | file | what |
//! |---|---|
//! | `fields` | a header cut into fields |
//! | `address` | a list of addresses, as RFC 5322 section 3.4 and real messages have them |
//! | `envelope` | which fields make the envelope |

mod address;
mod envelope;
mod fields;
