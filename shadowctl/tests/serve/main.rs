//! `shadowctl serve --listen` as a user meets it. `serve --broker` is tested with mosquitto.

/// Beside `listen`.
#[cfg(test)]
#[cfg(unix)]
mod fleet;
/// Ctrl-C is sent as a signal.
#[cfg(test)]
#[cfg(unix)]
mod listen;
#[cfg(test)]
mod refusals;

#[cfg(test)]
mod command {
    use std::process::{Command, Stdio};

    /// How a run ended.
    #[derive(Debug)]
    pub(crate) struct Run {
        pub(crate) code: i32,
        pub(crate) stdout: String,
        pub(crate) stderr: String,
    }

    impl Run {
        /// That it failed with this code and these words on stderr, and printed no result.
        #[track_caller]
        pub(crate) fn assert_failed(&self, code: i32, words: &[&str]) {
            assert_eq!(self.code, code, "{self:#?}");
            assert_eq!(self.stdout, "", "{self:#?}");
            for word in words {
                assert!(self.stderr.contains(word), "no {word:?} in {self:#?}");
            }
            assert!(!self.stderr.contains("panicked"), "{self:#?}");
        }
    }

    /// The program with nothing of this environment that it would look at.
    pub(crate) fn shadowctl(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shadowctl"));
        for variable in ["RUST_LOG", "CLICOLOR_FORCE", "NO_COLOR", "COLUMNS"] {
            command.env_remove(variable);
        }
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(arguments: &[&str]) -> Run {
        let output = shadowctl(arguments).output().unwrap();
        Run {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

#[cfg(test)]
mod certificates {
    use std::fs;
    use std::path::Path;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    /// PEM files of a new certificate authority and of a server that it certifies as `localhost`.
    pub(crate) struct Files {
        pub(crate) ca: String,
        pub(crate) certificate: String,
        pub(crate) key: String,
    }

    impl Files {
        pub(crate) fn write(directory: &Path) -> Files {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().unwrap();
            let ca = CertifiedIssuer::self_signed(params, key).unwrap();
            let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &ca).unwrap();
            let file = |name: &str, text: String| {
                let path = directory.join(name);
                fs::write(&path, text).unwrap();
                path.to_str().unwrap().to_owned()
            };
            Files {
                ca: file("ca.pem", ca.pem()),
                certificate: file("server.pem", certificate.pem()),
                key: file("server.key", key.serialize_pem()),
            }
        }
    }
}
