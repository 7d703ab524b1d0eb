#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| quintet_fuzz::tls::tls_first_bytes(data));
