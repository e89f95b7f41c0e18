//! LOGIN: the server asks for the user name, then for the password. There is no RFC, only
//! draft-murchison-sasl-login-00.
//!
//! ```text
//! S: Username:
//! C: someuser
//! S: Password:
//! C: correct horse
//! ```
//!
//! Servers write what they like into the prompts (`User Name` with a NUL, nothing at all), so only
//! their order counts.

use super::input::{InputError, InputField};
use super::{Answer, Mechanism};
use crate::secret::Secret;

#[derive(Debug)]
pub(super) struct Login {
    user: String,
    password: Secret<Vec<u8>>,
    expects: Prompt,
}

#[derive(Debug, Clone, Copy)]
enum Prompt {
    User,
    Password,
    None,
}

impl Login {
    pub(super) fn new(user: &str, password: &str) -> Result<Self, InputError> {
        InputField::User.check_text(user)?;
        InputField::Password.check_text(password)?;
        Ok(Self {
            user: user.to_owned(),
            password: Secret::new(password.as_bytes().to_vec()),
            expects: Prompt::User,
        })
    }
}

impl Mechanism for Login {
    fn name(&self) -> &'static str {
        "LOGIN"
    }

    fn initial_response(&self) -> Option<Secret<Vec<u8>>> {
        None
    }

    fn answer(&mut self) -> Answer {
        match self.expects {
            Prompt::User => {
                self.expects = Prompt::Password;
                Answer::Response(Secret::new(self.user.as_bytes().to_vec()))
            }
            Prompt::Password => {
                self.expects = Prompt::None;
                Answer::Response(self.password.clone())
            }
            Prompt::None => Answer::Cancel,
        }
    }

    fn credential(&self) -> &[u8] {
        self.password.expose()
    }
}

#[cfg(test)]
mod tests {
    use crate::sasl::Session;

    #[test]
    fn the_first_prompt_gets_the_user_and_the_second_the_password_whatever_they_say() {
        // "Username:" and "Password:", "User Name\0" and "Password\0", nothing, not base64.
        let prompts: [[&[u8]; 2]; 4] = [
            [b"VXNlcm5hbWU6", b"UGFzc3dvcmQ6"],
            [b"VXNlciBOYW1lAA==", b"UGFzc3dvcmQA"],
            [b"", b""],
            [b"Username:", b"Password:"],
        ];
        for [first, second] in prompts {
            let mut session = Session::login("someuser", "secret").unwrap();
            assert!(session.initial_response().is_none());
            assert_eq!(session.respond(first).unwrap().expose(), b"c29tZXVzZXI=");
            assert_eq!(session.respond(second).unwrap().expose(), b"c2VjcmV0");
        }
    }
}
