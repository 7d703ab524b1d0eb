//! Cipher suites by name: proxies say the name that OpenSSL has for it, handlers are told the number at IANA.

/// The number of a cipher suite by its name at OpenSSL or IANA; 0 for one that is not known here.
///
/// # Spec
/// <https://www.iana.org/assignments/tls-parameters>; `openssl ciphers -V`.
pub(super) fn cipher_suite(name: &[u8]) -> u16 {
    SUITES.iter().find(|(suite, _)| suite.as_bytes() == name).map_or(0, |(_, number)| *number)
}

/// Those of TLS 1.3, and of TLS 1.2 and below what proxies offer today.
const SUITES: [(&str, u16); 33] = [
    ("TLS_AES_128_GCM_SHA256", 0x1301),
    ("TLS_AES_256_GCM_SHA384", 0x1302),
    ("TLS_CHACHA20_POLY1305_SHA256", 0x1303),
    ("TLS_AES_128_CCM_SHA256", 0x1304),
    ("TLS_AES_128_CCM_8_SHA256", 0x1305),
    ("AES128-SHA", 0x002f),
    ("DHE-RSA-AES128-SHA", 0x0033),
    ("AES256-SHA", 0x0035),
    ("DHE-RSA-AES256-SHA", 0x0039),
    ("AES128-SHA256", 0x003c),
    ("AES256-SHA256", 0x003d),
    ("DHE-RSA-AES128-SHA256", 0x0067),
    ("DHE-RSA-AES256-SHA256", 0x006b),
    ("AES128-GCM-SHA256", 0x009c),
    ("AES256-GCM-SHA384", 0x009d),
    ("DHE-RSA-AES128-GCM-SHA256", 0x009e),
    ("DHE-RSA-AES256-GCM-SHA384", 0x009f),
    ("ECDHE-ECDSA-AES128-SHA", 0xc009),
    ("ECDHE-ECDSA-AES256-SHA", 0xc00a),
    ("ECDHE-RSA-AES128-SHA", 0xc013),
    ("ECDHE-RSA-AES256-SHA", 0xc014),
    ("ECDHE-ECDSA-AES128-SHA256", 0xc023),
    ("ECDHE-ECDSA-AES256-SHA384", 0xc024),
    ("ECDHE-RSA-AES128-SHA256", 0xc027),
    ("ECDHE-RSA-AES256-SHA384", 0xc028),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", 0xc02b),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", 0xc02c),
    ("ECDHE-RSA-AES128-GCM-SHA256", 0xc02f),
    ("ECDHE-RSA-AES256-GCM-SHA384", 0xc030),
    ("ECDHE-RSA-CHACHA20-POLY1305", 0xcca8),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", 0xcca9),
    ("DHE-RSA-CHACHA20-POLY1305", 0xccaa),
    ("ECDHE-PSK-CHACHA20-POLY1305", 0xccac),
];
