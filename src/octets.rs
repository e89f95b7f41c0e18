//! What a message can be made of besides octets: whatever lends or holds them.

/// `From` for a type that is made of `&[u8]` and of `Vec<u8>`.
macro_rules! from_octets {
    ($message:ident) => {
        impl<'a, const N: usize> From<&'a [u8; N]> for $message<'a> {
            fn from(octets: &'a [u8; N]) -> Self {
                Self::from(octets.as_slice())
            }
        }

        impl<'a> From<&'a Vec<u8>> for $message<'a> {
            fn from(octets: &'a Vec<u8>) -> Self {
                Self::from(octets.as_slice())
            }
        }

        impl<'a> From<&'a str> for $message<'a> {
            fn from(text: &'a str) -> Self {
                Self::from(text.as_bytes())
            }
        }

        impl<'a> From<&'a String> for $message<'a> {
            fn from(text: &'a String) -> Self {
                Self::from(text.as_bytes())
            }
        }

        impl From<String> for $message<'_> {
            fn from(text: String) -> Self {
                Self::from(text.into_bytes())
            }
        }
    };
}

pub(crate) use from_octets;
