//! The TLVs of a PROXY protocol header, version 2.

use alloc::sync::Arc;
use core::iter::FusedIterator;

/// The additional fields (TLVs) of a PROXY protocol header of version 2, as the proxy sent them:
/// types, lengths and values, together at most 4,096 bytes.
///
/// Their lengths were checked. Their values are not interpreted, and their checksum
/// (`PP2_TYPE_CRC32C`) is not verified. A version 1 header, `LOCAL` and `AF_UNSPEC` have none.
///
/// ```
/// use httpants_core::{Config, Connection, ConnectionInfo, Event, Now};
///
/// let mut config = Config::default();
/// config.proxy_protocol = true;
/// let now = Now::default();
/// let mut connection = Connection::new(config.into(), ConnectionInfo::default(), now);
/// let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x1a\xcb\0\x71\x09\x0a\0\0\x01\xc3\x50\x01\xbb\x02\0\x0bexample.com";
/// connection.receive(&[&header[..], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"].concat(), now);
/// assert!(matches!(connection.poll_event(), Some(Event::ProxyHeader)));
/// let Some(Event::Request(request)) = connection.poll_event() else { unreachable!() };
/// assert_eq!(request.proxy_tlvs().authority(), Some("example.com"));
/// assert_eq!(request.proxy_tlvs().iter().collect::<Vec<_>>(), [(0x02, &b"example.com"[..])]);
/// ```
// One pointer in size, because each connection has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyTlvs(Option<Arc<Vec<u8>>>);

/// Type of the host name that the client requested, such as that of SNI.
const AUTHORITY: u8 = 0x02;
/// Type of the properties of the client's TLS connection to the proxy.
const SSL: u8 = 0x20;
/// Type, within [`SSL`], of the common name of the client's certificate.
const SSL_CN: u8 = 0x22;
/// Flags of [`SSL`]: the client presented a certificate on this connection, or in its TLS session.
const CLIENT_CERT: u8 = 0x02 | 0x04;

impl ProxyTlvs {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self((!bytes.is_empty()).then(|| Arc::new(bytes.to_vec())))
    }

    /// Returns the types and values in the order in which they were sent.
    pub fn iter(&self) -> ProxyTlvsIter<'_> {
        ProxyTlvsIter(self.0.as_deref().map_or(&[], Vec::as_slice))
    }

    /// Returns the first value of this type.
    #[must_use]
    pub fn get(&self, kind: u8) -> Option<&[u8]> {
        self.iter().find(|(found, _)| *found == kind).map(|(_, value)| value)
    }

    /// Returns true if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the host name that the client requested, such as in SNI (`PP2_TYPE_AUTHORITY`), if
    /// it is UTF-8.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        core::str::from_utf8(self.get(AUTHORITY)?).ok()
    }

    /// Returns the common name of the client's TLS certificate (`PP2_SUBTYPE_SSL_CN`), if the proxy
    /// has verified the certificate and the name is UTF-8.
    #[must_use]
    pub fn client_common_name(&self) -> Option<&str> {
        let (&[flags, verify @ ..], fields) = self.get(SSL)?.split_first_chunk::<5>()?;
        if flags & CLIENT_CERT == 0 || verify != [0; 4] {
            return None;
        }
        let (_, name) = ProxyTlvsIter(fields).find(|(kind, _)| *kind == SSL_CN)?;
        core::str::from_utf8(name).ok()
    }
}

/// Iterates over types and values, as in [`iter`](ProxyTlvs::iter).
impl<'a> IntoIterator for &'a ProxyTlvs {
    type Item = (u8, &'a [u8]);
    type IntoIter = ProxyTlvsIter<'a>;

    fn into_iter(self) -> ProxyTlvsIter<'a> {
        self.iter()
    }
}

/// The iterator of [`ProxyTlvs::iter`].
// Each TLV is a type, a length of two bytes, and that number of bytes. The iterator ends before an
// incomplete one.
#[derive(Clone, Debug)]
pub struct ProxyTlvsIter<'a>(&'a [u8]);

impl<'a> Iterator for ProxyTlvsIter<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[kind, high, low], rest) = self.0.split_first_chunk::<3>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        self.0 = rest;
        Some((kind, value))
    }
}

impl FusedIterator for ProxyTlvsIter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: u8, value: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(value.len()).unwrap().to_be_bytes();
        [&[kind, high, low], value].concat()
    }

    fn ssl(flags: u8, verify: u8, fields: &[u8]) -> ProxyTlvs {
        ProxyTlvs::new(&field(SSL, &[&[flags, 0, 0, 0, verify], fields].concat()))
    }

    #[test]
    fn fields_are_returned_in_order() {
        let tlvs =
            ProxyTlvs::new(&[field(4, b""), field(2, b"a.example"), field(2, b"b"), field(0xee, b"\xff")].concat());
        let expected: [(u8, &[u8]); 4] = [(4, b""), (2, b"a.example"), (2, b"b"), (0xee, b"\xff")];
        assert_eq!((&tlvs).into_iter().collect::<Vec<_>>(), expected);
        assert_eq!((tlvs.authority(), tlvs.get(0xee), tlvs.get(1)), (Some("a.example"), Some(&b"\xff"[..]), None));
        assert_eq!(ProxyTlvs::new(&field(2, b"\xff")).authority(), None);
        assert!(ProxyTlvs::new(b"").is_empty() && !tlvs.is_empty());
    }

    #[test]
    fn common_name_needs_a_verified_certificate() {
        let name = [field(0x21, b"TLSv1.3"), field(SSL_CN, b"ada")].concat();
        for flags in [0x02, 0x03, 0x04, 0x07] {
            assert_eq!(ssl(flags, 0, &name).client_common_name(), Some("ada"), "{flags}");
        }
        assert_eq!(ssl(0x01, 0, &name).client_common_name(), None);
        assert_eq!(ssl(0x07, 1, &name).client_common_name(), None);
        assert_eq!(ssl(0x07, 0, &field(0x21, b"TLSv1.3")).client_common_name(), None);
        assert_eq!(ssl(0x07, 0, &field(SSL_CN, b"\xff")).client_common_name(), None);
        assert_eq!(ssl(0x07, 0, b"\x22\0\x04ada").client_common_name(), None);
        assert_eq!(ProxyTlvs::new(&field(SSL, &[7, 0, 0, 0])).client_common_name(), None);
        assert_eq!(ProxyTlvs::default().client_common_name(), None);
    }
}
