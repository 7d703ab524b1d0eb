#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| quintet_fuzz::conn::wait_state(data));
