//! Signing a device in: the user name and password of its CONNECT, from its secret.
//!
//! Layout (634/46346): user name `{productId}{deviceName};{sdkAppId};{connectionId};{expiry}`,
//! password `{hex of HMAC(secret, user name)};{method}`.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
#[cfg(feature = "hmac-sha1")]
use sha1::Sha1;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The application id in the vendor's documentation (634/46346). The vendor's SDKs for Python and C
/// use [another](super::python_sdk::SDK_APP_ID); the server takes both.
pub const DEFAULT_SDK_APP_ID: u32 = 12_010_126;

/// What a device with a certificate sends as its password: the server takes any (634/46346).
pub const CERTIFICATE_PASSWORD: &str = "certificate";

/// A device's key, or a password. Nothing prints, compares or serializes it, and its bytes are
/// overwritten with zeros when it goes.
///
/// ```compile_fail,E0277
/// # let secret = shadow_core::tencent::Secret::from_bytes(*b"key");
/// println!("{secret:?}");
/// ```
/// ```compile_fail,E0277
/// # let secret = shadow_core::tencent::Secret::from_bytes(*b"key");
/// println!("{secret}");
/// ```
/// ```compile_fail,E0277
/// # let secret = shadow_core::tencent::Secret::from_bytes(*b"key");
/// serde_json::to_string(&secret);
/// ```
/// ```compile_fail,E0369
/// # let secret = shadow_core::tencent::Secret::from_bytes(*b"key");
/// secret == secret; // It would tell by its time how much is right; see `verify`.
/// ```
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}

impl Secret {
    /// The key itself, as bytes. A vector that is handed over is wiped; of an array or a slice the
    /// caller keeps a copy.
    pub fn from_bytes(key: impl Into<Vec<u8>>) -> Secret {
        let key = Zeroizing::new(key.into());
        // Of just the right size from the start: what grows or shrinks leaves copies behind.
        Secret(key.as_slice().into())
    }

    /// The key's bytes, as for a CONNECT. Wherever this is called a secret can get out: copy them to
    /// nothing that outlives its use, or wipe the copy.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The key from the standard base64 text the vendor's console shows; `=` at the end may be
    /// missing.
    ///
    /// # Errors
    /// [`InvalidSecret`] when `text` is empty or not base64.
    pub fn from_base64(text: &str) -> Result<Secret, InvalidSecret> {
        let mut key = Zeroizing::new(alloc::vec![0; base64::decoded_len_estimate(text.len())]);
        let length = BASE64.decode_slice(text, &mut key);
        match length.ok().and_then(|length| key.get(..length)) {
            Some(key @ [_, ..]) => Ok(Secret(key.into())),
            _ => Err(InvalidSecret),
        }
    }
}

/// A device secret that is not base64. Says nothing about the text, which is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidSecret;

impl fmt::Display for InvalidSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the device secret is not base64")
    }
}

impl core::error::Error for InvalidSecret {}

/// The hash a login is signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SignatureMethod {
    /// `hmacsha256`, which the vendor documents first.
    #[default]
    HmacSha256,
    /// `hmacsha1`, which the vendor's SDKs for Python and C use.
    #[cfg(feature = "hmac-sha1")]
    HmacSha1,
}

impl SignatureMethod {
    #[cfg(feature = "recording")]
    pub(crate) const ALL: &[SignatureMethod] = &[
        SignatureMethod::HmacSha256,
        #[cfg(feature = "hmac-sha1")]
        SignatureMethod::HmacSha1,
    ];

    /// The name behind the `;` of a password.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SignatureMethod::HmacSha256 => "hmacsha256",
            #[cfg(feature = "hmac-sha1")]
            SignatureMethod::HmacSha1 => "hmacsha1",
        }
    }
}

/// User name and password of a CONNECT.
#[derive(Clone)]
pub struct Login {
    /// The CONNECT's user name. Not secret.
    pub user_name: String,
    /// The CONNECT's password, good until the expiry in the user name.
    pub password: Secret,
}

/// Without the password.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user_name", &self.user_name)
            .finish_non_exhaustive()
    }
}

/// Signs one login.
///
/// `connection_id` is five ASCII letters or digits, fresh for every CONNECT; `expiry` is the time
/// in Unix seconds at which the signature ends (the vendor's Python SDK puts the current time in
/// milliseconds there).
#[must_use]
pub fn sign(
    method: SignatureMethod,
    client_id: &str,
    sdk_app_id: u32,
    connection_id: [u8; 5],
    expiry: u64,
    secret: &Secret,
) -> Login {
    let user_name = user_name(client_id, sdk_app_id, connection_id, expiry);
    let mut password = Vec::with_capacity(LONGEST_PASSWORD);
    match method {
        SignatureMethod::HmacSha256 => {
            let mut code = keyed::<Hmac<Sha256>>(secret, &user_name)
                .finalize()
                .into_bytes();
            push_hex(&code, &mut password);
            code.as_mut_slice().zeroize();
        }
        #[cfg(feature = "hmac-sha1")]
        SignatureMethod::HmacSha1 => {
            let mut code = keyed::<Hmac<Sha1>>(secret, &user_name)
                .finalize()
                .into_bytes();
            push_hex(&code, &mut password);
            code.as_mut_slice().zeroize();
        }
    }
    password.push(b';');
    password.extend_from_slice(method.as_str().as_bytes());
    Login {
        user_name,
        password: Secret::from_bytes(password),
    }
}

/// The user name alone, as a device sends it whose TLS client certificate proves the rest.
#[must_use]
pub fn user_name(client_id: &str, sdk_app_id: u32, connection_id: [u8; 5], expiry: u64) -> String {
    let mut name = String::from(client_id);
    name.push(';');
    name.push_str(itoa::Buffer::new().format(u64::from(sdk_app_id)));
    name.push(';');
    name.extend(connection_id.map(char::from));
    name.push(';');
    name.push_str(itoa::Buffer::new().format(expiry));
    name
}

/// Checks a login as the cloud does: the password has to be the user name's signature. Whether the
/// expiry has passed, and whether the client id is the device's, is for the caller to compare.
///
/// The comparison takes the same time wherever the signatures differ.
///
/// # Errors
/// [`LoginError`].
pub fn verify<'a>(login: &'a Login, secret: &Secret) -> Result<UserName<'a>, LoginError> {
    let parts = UserName::parse(&login.user_name).ok_or(LoginError::UserName)?;
    let password = core::str::from_utf8(login.password.expose());
    let password = password.map_err(|_| LoginError::Password)?;
    let (hex, method) = password.split_once(';').ok_or(LoginError::Password)?;
    let mut code = Zeroizing::new([0; 32]);
    let code = read_hex(hex, &mut *code).ok_or(LoginError::Password)?;
    let matches = match method {
        "hmacsha256" => keyed::<Hmac<Sha256>>(secret, &login.user_name).verify_slice(code),
        #[cfg(feature = "hmac-sha1")]
        "hmacsha1" => keyed::<Hmac<Sha1>>(secret, &login.user_name).verify_slice(code),
        _ => return Err(LoginError::Method),
    };
    matches.map(|()| parts).map_err(|_| LoginError::Signature)
}

/// The parts of a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserName<'a> {
    /// Product id and device name without anything between.
    pub client_id: &'a str,
    /// The application id; digits, by the documentation.
    pub sdk_app_id: &'a str,
    /// The random part.
    pub connection_id: &'a str,
    /// When the signature ends; Unix seconds by the documentation.
    pub expiry: u64,
}

impl<'a> UserName<'a> {
    /// Takes a user name apart; `None` without three `;`, without a client id, or with an expiry
    /// that is no number. A `;` within the client id is part of it.
    #[must_use]
    pub fn parse(user_name: &'a str) -> Option<UserName<'a>> {
        let mut parts = user_name.rsplitn(4, ';');
        let expiry = parts.next()?.parse().ok()?;
        let connection_id = parts.next()?;
        let sdk_app_id = parts.next()?;
        let client_id = parts.next().filter(|client_id| !client_id.is_empty())?;
        Some(UserName {
            client_id,
            sdk_app_id,
            connection_id,
            expiry,
        })
    }
}

/// Why a login is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// The user name does not have its four parts.
    UserName,
    /// The password is not hex digits, `;` and a method.
    Password,
    /// The method is neither `hmacsha256` nor `hmacsha1`.
    Method,
    /// The signature is not that of the user name under this secret.
    Signature,
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LoginError::UserName => {
                "the user name is not `{client id};{sdk app id};{connection id};{expiry}`"
            }
            LoginError::Password => "the password is not `{hex digits};{method}`",
            LoginError::Method => "the password's method is neither hmacsha256 nor hmacsha1",
            LoginError::Signature => "the password does not sign the user name with this secret",
        })
    }
}

impl core::error::Error for LoginError {}

/// Length of a password with an HMAC-SHA256: more than of one with an HMAC-SHA1.
const LONGEST_PASSWORD: usize = 2 * 32 + ";hmacsha256".len();

/// As forgiving as the vendor's SDKs about the end of the text.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

fn keyed<M: Mac + KeyInit>(secret: &Secret, user_name: &str) -> M {
    let mac = <M as KeyInit>::new_from_slice(&secret.0);
    mac.expect("HMAC takes keys of any length (RFC 2104)")
        .chain_update(user_name)
}

fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            out.push(if digit < 10 {
                b'0' + digit
            } else {
                b'a' + digit - 10
            });
        }
    }
}

/// Lower or upper case; `None` for an odd count, another character or more bytes than `out` has.
fn read_hex<'a>(hex: &str, out: &'a mut [u8]) -> Option<&'a [u8]> {
    if !hex.len().is_multiple_of(2) {
        return None;
    }
    let out = out.get_mut(..hex.len() / 2)?;
    for (byte, pair) in out.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        for digit in pair {
            let digit = char::from(*digit).to_digit(16)?;
            *byte = (*byte << 4) | digit as u8;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT_ID: &str = "PYSDKCAP01test01";
    const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZg==";

    fn secret() -> Secret {
        Secret::from_base64(SECRET).unwrap()
    }

    /// The CONNECT packets of the two recorded sessions of the vendor's Python SDK.
    #[cfg(feature = "hmac-sha1")]
    #[test]
    fn signs_as_the_recorded_sessions_do() {
        for (connection_id, expiry, user_name, password) in [
            (
                *b"N4sz6",
                1_795_373_234_216,
                "PYSDKCAP01test01;21010406;N4sz6;1795373234216",
                "13d60161217a860df1658216c25e128084b1b634;hmacsha1",
            ),
            (
                *b"vdDnr",
                1_795_374_211_433,
                "PYSDKCAP01test01;21010406;vdDnr;1795374211433",
                "5275cc47503bd5600f37089e50247d66813f8d0a;hmacsha1",
            ),
        ] {
            let method = SignatureMethod::HmacSha1;
            let login = sign(
                method,
                CLIENT_ID,
                21_010_406,
                connection_id,
                expiry,
                &secret(),
            );
            assert_eq!(login.user_name, user_name);
            assert_eq!(login.password.expose(), password.as_bytes());
            assert_eq!(verify(&login, &secret()).unwrap().client_id, CLIENT_ID);
        }
    }

    /// The expected password is what Python's hmac and hashlib modules give for this user name and
    /// key.
    #[test]
    fn signs_with_sha256_as_python_does() {
        let login = sign(
            SignatureMethod::HmacSha256,
            CLIENT_ID,
            DEFAULT_SDK_APP_ID,
            *b"aB3dE",
            1_795_373_234,
            &secret(),
        );
        assert_eq!(
            login.user_name,
            "PYSDKCAP01test01;12010126;aB3dE;1795373234"
        );
        assert_eq!(
            login.password.expose(),
            b"e7e55530705171c7d6ee78f74a333afbcc10fca37ed6feca4ca69257d0f60bd3;hmacsha256"
        );
        let parts = UserName {
            client_id: CLIENT_ID,
            sdk_app_id: "12010126",
            connection_id: "aB3dE",
            expiry: 1_795_373_234,
        };
        assert_eq!(verify(&login, &secret()), Ok(parts));
    }

    #[test]
    fn padding_may_be_missing() {
        let padded = Secret::from_base64(SECRET).unwrap();
        let bare = Secret::from_base64(SECRET.trim_end_matches('=')).unwrap();
        assert_eq!(&*padded.0, b"0123456789abcdef");
        assert_eq!(padded.0, bare.0);
        for text in ["", "not base64!", "MDEy MzQ1", "M"] {
            let error = Secret::from_base64(text).err();
            assert_eq!(error, Some(InvalidSecret), "{text}");
        }
    }

    #[test]
    #[cfg_attr(not(feature = "hmac-sha1"), ignore = "the logins are signed with it")]
    fn refuses_what_is_not_signed() {
        let user_name = "PYSDKCAP01test01;21010406;N4sz6;1795373234216";
        let signed = "13d60161217a860df1658216c25e128084b1b634";
        for (user_name, password, error) in [
            ("PYSDKCAP01test01", "00;hmacsha1", LoginError::UserName),
            ("a;b;c;soon", "00;hmacsha1", LoginError::UserName),
            (";b;c;1", "00;hmacsha1", LoginError::UserName),
            (user_name, "", LoginError::Password),
            (user_name, signed, LoginError::Password),
            (user_name, "xy;hmacsha1", LoginError::Password),
            (user_name, "123;hmacsha1", LoginError::Password),
            (
                user_name,
                &alloc::format!("{};hmacsha1", "0".repeat(66)),
                LoginError::Password,
            ),
            (
                user_name,
                &alloc::format!("{signed};hmacmd5"),
                LoginError::Method,
            ),
            (
                user_name,
                &alloc::format!("{signed};hmacsha256"),
                LoginError::Signature,
            ),
            (
                user_name,
                &alloc::format!("{};hmacsha1", &signed[2..]),
                LoginError::Signature,
            ),
            (user_name, ";hmacsha1", LoginError::Signature),
            (
                "PYSDKCAP01test02;21010406;N4sz6;1795373234216",
                &alloc::format!("{signed};hmacsha1"),
                LoginError::Signature,
            ),
        ] {
            let login = Login {
                user_name: user_name.into(),
                password: Secret::from_bytes(password),
            };
            assert_eq!(verify(&login, &secret()), Err(error), "{password}");
        }
        let login = Login {
            user_name: user_name.into(),
            password: Secret::from_bytes(alloc::format!("{signed};hmacsha1")),
        };
        assert!(verify(&login, &secret()).is_ok());
        let other = Secret::from_bytes(*b"0123456789abcdeF");
        assert_eq!(verify(&login, &other), Err(LoginError::Signature));
    }

    #[test]
    fn nothing_prints_the_password() {
        let login = Login {
            user_name: "u".into(),
            password: Secret::from_bytes(*b"p"),
        };
        assert_eq!(
            alloc::format!("{login:?}"),
            r#"Login { user_name: "u", .. }"#
        );
    }

    /// What safe code can see of it: dropping overwrites the bytes, which are where they were put.
    #[test]
    fn a_secret_is_wiped() {
        fn wipes<T: ZeroizeOnDrop>(_: &T) {}
        let mut secret = secret();
        wipes(&secret);
        let place = secret.expose().as_ptr();
        secret.0.zeroize();
        assert_eq!(
            (secret.expose(), secret.expose().as_ptr()),
            (&[0; 16][..], place)
        );
        // An HMAC is two of its hashes, which have read the key.
        wipes(&Sha256::default());
        #[cfg(feature = "hmac-sha1")]
        wipes(&Sha1::default());
    }
}
