#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| quintet_fuzz::mux::escape_html(data));
