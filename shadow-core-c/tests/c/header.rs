//! The header: made of the source, committed, and taken by compilers.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{crate_directory, succeeded};

/// In the order in which the header has them.
const SOURCES: [&str; 13] = [
    "result.rs",
    "views.rs",
    "config.rs",
    "event.rs",
    "counters.rs",
    "engine.rs",
    "ffi/life.rs",
    "ffi/inputs.rs",
    "ffi/outputs.rs",
    "ffi/requests.rs",
    "ffi/messages.rs",
    "ffi/session.rs",
    "ffi/json.rs",
];

pub(crate) fn path() -> PathBuf {
    crate_directory().join("include/shadow_core.h")
}

fn made() -> String {
    let directory = crate_directory();
    let mut config = cbindgen::Config::from_file(directory.join("cbindgen.toml")).unwrap();
    config.after_includes = Some(format!(
        "\n/**\n * The version of this header; that of the library is `shadow_version`.\n */\n\
         #define SHADOW_VERSION \"{}\"",
        env!("CARGO_PKG_VERSION")
    ));
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(directory.join("src").join(source));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    String::from_utf8(header).unwrap()
}

/// The committed header is the source's. With `SHADOW_RENEW_HEADER=1` it becomes so.
pub(crate) fn is_that_of_the_source() {
    let made = made();
    if std::env::var_os("SHADOW_RENEW_HEADER").is_some_and(|value| value == "1") {
        std::fs::write(path(), &made).unwrap();
    }
    let committed = std::fs::read_to_string(path()).unwrap_or_default();
    assert!(
        made == committed,
        "include/shadow_core.h is not that of the source; renew it with\n\
         SHADOW_RENEW_HEADER=1 cargo test -p shadow-core-c --test c header"
    );
}

/// Every function that the library exports stands in the header: none is in a file that `SOURCES`
/// has forgotten.
pub(crate) fn has_every_function() {
    let header = std::fs::read_to_string(path()).unwrap();
    let mut functions = 0;
    for entry in std::fs::read_dir(crate_directory().join("src/ffi")).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for after in source.split("extern \"C\" fn ").skip(1) {
            let name = after.split('(').next().unwrap();
            assert!(header.contains(&format!("{name}(")), "no {name}");
            functions += 1;
        }
    }
    assert!(functions > 30, "only {functions} were found");
}

/// As C99 and as C++, without a warning.
pub(crate) fn is_c_and_cpp() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("header.c");
    std::fs::write(
        &program,
        "#define SHADOW_BARE_METAL\n#include \"shadow_core.h\"\nint nothing;\n",
    )
    .unwrap();
    let include = crate_directory().join("include");
    let strict = [
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pedantic",
        "-fsyntax-only",
        "-I",
    ];
    let compile = |compiler: &str, language: &[&str], file: &Path| {
        let mut command = Command::new(compiler);
        command.args(language).args(strict).arg(&include).arg(file);
        succeeded(&mut command);
    };
    compile("gcc", &["-std=c99"], &program);
    compile("g++", &["-std=c++11", "-x", "c++"], &program);
}

/// A compiler that knows how is told that `shadow_panic` does not return.
pub(crate) fn has_a_panic_that_does_not_return() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("panic.c");
    let compile = |compiler: &[&str], body: &str| {
        let text = format!(
            "#define SHADOW_BARE_METAL\n#include \"shadow_core.h\"\n\
             void shadow_panic(const char *file, size_t file_length, uint32_t line)\n\
             {{ (void)file; (void)file_length; (void)line; {body} }}\n"
        );
        std::fs::write(&program, text).unwrap();
        let (name, language) = compiler.split_first().unwrap();
        let mut command = Command::new(name);
        command
            .env("LC_ALL", "C")
            .args(language)
            .args(["-Werror", "-c", "-o"]);
        command.arg(directory.path().join("panic.o")).arg("-I");
        command.arg(crate_directory().join("include")).arg(&program);
        command
    };
    for compiler in [
        &["gcc", "-std=c99"][..],
        &["gcc", "-std=c11", "-U__GNUC__"],
        &["g++", "-std=c++11", "-x", "c++"],
    ] {
        succeeded(&mut compile(compiler, "for (;;) {}"));
        let returns = compile(compiler, "").output().unwrap();
        let said = String::from_utf8_lossy(&returns.stderr);
        assert!(
            said.contains("'noreturn' function does return"),
            "{compiler:?}: {said}"
        );
    }
}
