//! The calls that nix lacks or marks unsafe, wrapped safely: the only package with unsafe code.
