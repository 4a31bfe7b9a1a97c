//! A new file in `migrations/` has to rebuild the program that carries it.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
