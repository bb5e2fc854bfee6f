//! Finds librnn: in the folder that LIBRNN_DIR names, a build folder or one that holds the library, or by pkg-config.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{exit, Command};

const HELP: &str = "install librnn (its Debian package librnn-dev, or from its sources by \
    `meson setup build && meson install -C build`) where pkg-config finds it, or set LIBRNN_DIR to its build folder";

fn main() {
    for name in ["LIBRNN_DIR", "LIBRNN_STATIC", "PKG_CONFIG", "PKG_CONFIG_PATH"] {
        println!("cargo:rerun-if-env-changed={}", name);
    }
    if env::var_os("DOCS_RS").is_some() {
        return; // documentation needs no library
    }
    let is_static =
        env::var("LIBRNN_STATIC").map_or(false, |value| !value.is_empty() && value != "0");
    match env::var_os("LIBRNN_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => link_folder(Path::new(&folder), is_static),
        None => match ask_pkg_config(is_static, None) {
            Some(words) => link_words(&words, is_static),
            None => fail(&format!("pkg-config knows no package \"rnn\": {}", HELP)),
        },
    }
}

fn fail(message: &str) -> ! {
    eprintln!("librnn: {}", message);
    exit(1)
}

fn link_folder(folder: &Path, is_static: bool) {
    let has = |path: &Path, prefer_static: bool| {
        let names: &[&str] = if prefer_static {
            &["librnn.a", "rnn.lib"]
        } else {
            &["librnn.so", "librnn.dylib", "librnn.dll.a", "rnn.lib"]
        };
        names.iter().any(|name| path.join(name).exists())
    };
    let places = [folder.to_path_buf(), folder.join("capi"), folder.join("lib")];
    let find = |is_static| places.iter().find(|path| has(path, is_static));
    // A build with one kind of library needs no LIBRNN_STATIC.
    let (place, is_static) = match (find(is_static), find(true)) {
        (Some(place), _) => (place, is_static),
        (None, Some(place)) => (place, true),
        (None, None) => fail(&format!("there is no library in {}: {}", folder.display(), HELP)),
    };
    let place = place.canonicalize().unwrap_or_else(|_| place.clone());
    println!("cargo:rustc-link-search=native={}", place.display());
    if !is_static {
        println!("cargo:rustc-link-lib=dylib=rnn");
        if env::var("CARGO_CFG_TARGET_FAMILY").map_or(false, |family| family == "unix") {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{}", place.display());
        }
        return;
    }
    println!("cargo:rerun-if-changed={}", place.join("librnn.a").display());
    println!("cargo:rustc-link-lib=static=rnn");
    // Meson describes the library of a build folder to pkg-config, too. Without: what a full build needs.
    match ask_pkg_config(true, Some(&folder.join("meson-uninstalled"))) {
        Some(words) => link_words(&without_librnn(words), false),
        None => link_words(&["-ltbb", "-lstdc++", "-lm"].map(String::from), false),
    }
}

fn ask_pkg_config(is_static: bool, first: Option<&PathBuf>) -> Option<Vec<String>> {
    let program = env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    let mut command = Command::new(program);
    if is_static {
        command.arg("--static");
    }
    if let Some(first) = first {
        let path = env::var_os("PKG_CONFIG_PATH").unwrap_or_default();
        let folders = std::iter::once(first.clone()).chain(env::split_paths(&path));
        command.env("PKG_CONFIG_PATH", env::join_paths(folders).ok()?);
    }
    let done = command.args(["--libs", "rnn"]).output().ok()?;
    if !done.status.success() {
        return None;
    }
    let words = String::from_utf8(done.stdout).ok()?;
    Some(words.split_whitespace().map(String::from).collect())
}

fn without_librnn(words: Vec<String>) -> Vec<String> {
    words.into_iter().filter(|word| word != "-lrnn").collect()
}

fn link_words(words: &[String], is_static: bool) {
    for word in words {
        if let Some(folder) = word.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={}", folder);
        } else if word == "-lrnn" {
            println!("cargo:rustc-link-lib={}=rnn", if is_static { "static" } else { "dylib" });
        } else if let Some(library) = word.strip_prefix("-l") {
            println!("cargo:rustc-link-lib=dylib={}", library);
        } else if word != "-pthread" {
            println!("cargo:rustc-link-arg={}", word);
        }
    }
}
