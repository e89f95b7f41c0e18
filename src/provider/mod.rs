//! The services this crate knows: one file each, every fact overridable.
//!
//! A provider is data: endpoints with a [`Profile`](crate::Profile). Whatever differs in your
//! tenant or region is changed on the value:
//!
//! ```
//! use mailbearer::provider::microsoft365;
//!
//! let china = microsoft365::imap().with_host("partner.outlook.cn");
//! ```

pub mod gmail;
pub mod hve;
pub mod microsoft365;
pub mod outlook;
