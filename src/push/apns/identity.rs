//! Client certificates, the older of the two ways to authenticate.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Identity;
use x509_parser::pem::Pem;

use crate::push::provider::ProviderError;

/// A client certificate and when it ends.
pub(super) struct ClientIdentity {
    pub identity: Identity,
    pub not_after: SystemTime,
}

impl ClientIdentity {
    pub fn parse(content: &[Vec<u8>]) -> Result<Self, ProviderError> {
        let malformed =
            |reason: &dyn ToString| ProviderError::malformed("APNs certificate", reason.to_string());
        let [chain, key] = content else {
            return Err(malformed(&"a chain and a key are needed"));
        };
        let mut pem = chain.clone();
        // One file may hold both; given twice, the key would be there twice.
        if chain != key {
            pem.push(b'\n');
            pem.extend_from_slice(key);
        }
        let identity = Identity::from_pem(&pem).map_err(ProviderError::Client)?;
        let leaf = Pem::iter_from_buffer(chain)
            .filter_map(Result::ok)
            .find(|block| block.label == "CERTIFICATE")
            .ok_or_else(|| malformed(&"no certificate in it"))?;
        let certificate = leaf.parse_x509().map_err(|error| malformed(&error))?;
        let seconds = certificate.validity().not_after.timestamp();
        let not_after = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        Ok(Self { identity, not_after })
    }
}
