use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, RsaKeySize, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio_rustls::TlsAcceptor;

use super::{FakeError, Options};

/// Apple gives keys and teams ids of ten characters.
const KEY_ID: &str = "FAKEKEY001";
const TEAM_ID: &str = "FAKETEAM01";
/// Whom a push service would write to.
pub const SUBJECT: &str = "mailto:push@example.org";
/// Google's are longer.
pub const FCM_KEY_ID: &str = "fake";
pub(super) const CLIENT_EMAIL: &str = "push@tidings-dev.iam.gserviceaccount.com";

/// Where the credentials are that the fakes accept.
#[derive(Debug, Clone)]
pub struct Files {
    pub ca: PathBuf,
    pub apns_key: PathBuf,
    pub apns_key_id: String,
    pub apns_team_id: String,
    /// Certificate and private key in one file.
    pub apns_certificate: PathBuf,
    pub fcm_service_account: PathBuf,
    pub vapid_key: PathBuf,
    /// `NAME=value` lines that configure Tidings for the fakes.
    pub environment: PathBuf,
}

/// Keys and certificates, new at every start.
pub(super) struct Credentials {
    authority: CertificateDer<'static>,
    authority_pem: String,
    server: Signed,
    apns_client: Signed,
    apns_key: KeyPair,
    fcm_key: KeyPair,
    vapid_key: KeyPair,
}

struct Signed {
    pem: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Credentials {
    pub fn generate(options: &Options) -> Result<Self, FakeError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // A name of its own: OpenSSL takes a certificate whose subject is its issuer for a self-signed one.
        params.distinguished_name.push(DnType::CommonName, "Tidings fake push authority");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate()?;
        let authority = params.self_signed(&authority_key)?;
        let issuer = Issuer::new(params, authority_key);

        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), options.listen.to_string()];
        let server = sign(&issuer, names.to_vec(), ExtendedKeyUsagePurpose::ServerAuth)?;
        let apns_client = sign(&issuer, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth)?;
        Ok(Self {
            authority: authority.der().clone(),
            authority_pem: authority.pem(),
            server,
            apns_client,
            apns_key: KeyPair::generate()?,
            fcm_key: fcm_key()?,
            vapid_key: KeyPair::generate()?,
        })
    }

    pub fn apns_verifier(&self) -> Result<DecodingKey, FakeError> {
        Ok(DecodingKey::from_ec_pem(self.apns_key.public_key_pem().as_bytes())?)
    }

    pub fn apns_names(&self) -> (&'static str, &'static str) {
        (KEY_ID, TEAM_ID)
    }

    pub fn fcm_verifier(&self) -> Result<DecodingKey, FakeError> {
        Ok(DecodingKey::from_rsa_pem(self.fcm_key.public_key_pem().as_bytes())?)
    }

    /// TLS with these protocols; with `client_certificates` it asks for one but needs none.
    pub fn tls(&self, protocols: &[&str], client_certificates: bool) -> Result<TlsAcceptor, FakeError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = if client_certificates {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.clone())?;
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .allow_unauthenticated()
                .build()?
        } else {
            WebPkiClientVerifier::no_client_auth()
        };
        let key = PrivatePkcs8KeyDer::from(self.server.key.serialize_der());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![self.server.der.clone()], PrivateKeyDer::Pkcs8(key))?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Writes everything that a sender needs. `urls` are those of APNs, FCM and Web Push.
    pub fn write(&self, options: &Options, urls: &[String; 3]) -> Result<Files, FakeError> {
        let dir = std::path::absolute(&options.dir)?;
        std::fs::create_dir_all(&dir).map_err(|source| FakeError::Write { path: dir.clone(), source })?;
        let file = |name: &str, content: String| write(&dir.join(name), content);
        let service_account = service_account(options, &urls[1], FCM_KEY_ID, &self.fcm_key);
        let certificate = format!("{}{}", self.apns_client.pem, self.apns_client.key.serialize_pem());
        let mut files = Files {
            ca: file("ca.pem", self.authority_pem.clone())?,
            apns_key: file("apns.p8", self.apns_key.serialize_pem())?,
            apns_key_id: KEY_ID.to_owned(),
            apns_team_id: TEAM_ID.to_owned(),
            apns_certificate: file("apns-client.pem", certificate)?,
            fcm_service_account: file("service-account.json", service_account)?,
            vapid_key: file("vapid.pem", self.vapid_key.serialize_pem())?,
            environment: PathBuf::new(),
        };
        files.environment = file("tidings.env", environment(&files.settings(urls)))?;
        Ok(files)
    }
}

impl Files {
    /// The settings that point Tidings at the fakes, in order: name in the configuration and value.
    pub(super) fn settings(&self, urls: &[String; 3]) -> Vec<(&'static str, String)> {
        let path = |path: &Path| path.display().to_string();
        vec![
            ("apns.base_url", urls[0].clone()),
            ("apns.key_file", path(&self.apns_key)),
            ("apns.key_id", self.apns_key_id.clone()),
            ("apns.team_id", self.apns_team_id.clone()),
            ("apns.ca_file", path(&self.ca)),
            ("fcm.base_url", urls[1].clone()),
            ("fcm.service_account_file", path(&self.fcm_service_account)),
            ("fcm.ca_file", path(&self.ca)),
            ("webpush.vapid_private_key_file", path(&self.vapid_key)),
            ("webpush.subject", SUBJECT.to_owned()),
            ("webpush.allowed_hosts", host(&urls[2]).to_owned()),
            ("webpush.ca_file", path(&self.ca)),
        ]
    }
}

pub(super) fn fcm_key() -> Result<KeyPair, FakeError> {
    Ok(KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048)?)
}

/// The file that Google gives for a key of a service account.
pub(super) fn service_account(options: &Options, fcm_url: &str, key_id: &str, key: &KeyPair) -> String {
    let file = json!({
        "type": "service_account",
        "project_id": options.project_id,
        "private_key_id": key_id,
        "private_key": key.serialize_pem(),
        "client_email": CLIENT_EMAIL,
        "token_uri": format!("{fcm_url}/token"),
    });
    format!("{file:#}")
}

/// Settings as environment variables, one a line.
pub fn environment(settings: &[(&str, String)]) -> String {
    let line = |(name, value): &(&str, String)| {
        format!("TIDINGS__{}={value}\n", name.replace('.', "__").to_uppercase())
    };
    settings.iter().map(line).collect()
}

/// `https://host:port` without the rest; an IPv6 host keeps its brackets, as in an endpoint.
fn host(url: &str) -> &str {
    let authority = url.strip_prefix("https://").unwrap_or(url);
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

fn sign(
    issuer: &Issuer<'_, KeyPair>,
    names: Vec<String>,
    purpose: ExtendedKeyUsagePurpose,
) -> Result<Signed, FakeError> {
    let mut params = CertificateParams::new(names)?;
    params.extended_key_usages = vec![purpose];
    params.distinguished_name.push(DnType::CommonName, "Tidings fake push");
    params.not_after = date_time_ymd(2049, 1, 1);
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    Ok(Signed { pem: certificate.pem(), der: certificate.der().clone(), key })
}

fn write(path: &Path, content: String) -> Result<PathBuf, FakeError> {
    let failed = |source| FakeError::Write { path: path.to_owned(), source };
    std::fs::write(path, content).map_err(failed)?;
    Ok(path.to_owned())
}
