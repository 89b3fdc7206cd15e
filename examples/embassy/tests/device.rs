//! The example on the host, against the model of the cloud.

#[test]
fn it_is_the_example_device() {
    check::run_device(std::process::Command::new(env!("CARGO_BIN_EXE_embassy")));
}
