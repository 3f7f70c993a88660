//! Message encryption for Web Push: RFC 8291 on top of RFC 8188 (`aes128gcm`), one record.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};

/// Salt, record size, key id length and the sender's public key.
const HEADER: usize = 16 + 4 + 1 + PUBLIC_KEY;
const PUBLIC_KEY: usize = 65;
const TAG: usize = 16;
/// Marks the end of the last record.
const DELIMITER: u8 = 2;
/// Larger than any record here, because a push message must be a single record.
const RECORD_SIZE: u32 = 4096;
/// What every push service must take (RFC 8030, section 7.2).
const MAX_BODY: usize = 4096;
/// The longest plain text that fits.
pub(super) const MAX_PLAIN: usize = MAX_BODY - HEADER - 1 - TAG;

/// The keys are unusable, or a body was not made for them.
#[derive(Debug, thiserror::Error)]
#[error("the encryption keys of the subscription cannot be used")]
pub struct CryptError;

/// Encrypts `plain` for a subscription: its public key (an uncompressed point) and secret.
pub(super) fn encrypt(plain: &[u8], receiver: &[u8], auth: &[u8; 16]) -> Result<Vec<u8>, CryptError> {
    let mut salt = [0; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| CryptError)?;
    let sender = PrivateKey::generate(&ECDH_P256).map_err(|_| CryptError)?;
    encrypt_with(plain, receiver, auth, &salt, &sender)
}

fn encrypt_with(
    plain: &[u8],
    receiver: &[u8],
    auth: &[u8; 16],
    salt: &[u8; 16],
    sender: &PrivateKey,
) -> Result<Vec<u8>, CryptError> {
    let sender_public = sender.compute_public_key().map_err(|_| CryptError)?;
    let sender_public = sender_public.as_ref();
    let parties = Parties { receiver, sender: sender_public };
    let (key, nonce) = derive(sender, receiver, &parties, auth, salt)?;

    let mut record = Vec::with_capacity(plain.len() + 1 + TAG);
    record.extend_from_slice(plain);
    record.push(DELIMITER);
    key.seal_in_place_append_tag(nonce, Aad::empty(), &mut record).map_err(|_| CryptError)?;

    let mut body = Vec::with_capacity(HEADER + record.len());
    body.extend_from_slice(salt);
    body.extend_from_slice(&RECORD_SIZE.to_be_bytes());
    body.push(u8::try_from(sender_public.len()).map_err(|_| CryptError)?);
    body.extend_from_slice(sender_public);
    body.extend_from_slice(&record);
    Ok(body)
}

/// Decrypts what [`encrypt`] made, as a browser does: the fake push service uses it.
pub(in crate::push) fn decrypt(
    body: &[u8],
    receiver: &PrivateKey,
    auth: &[u8; 16],
) -> Result<Vec<u8>, CryptError> {
    let (header, record) = body.split_at_checked(HEADER).ok_or(CryptError)?;
    let (salt, rest) = header.split_first_chunk::<16>().ok_or(CryptError)?;
    let (record_size, rest) = rest.split_first_chunk::<4>().ok_or(CryptError)?;
    let (key_length, sender) = rest.split_first().ok_or(CryptError)?;
    let fits = usize::try_from(u32::from_be_bytes(*record_size)).is_ok_and(|s| record.len() <= s);
    if usize::from(*key_length) != PUBLIC_KEY || !fits {
        return Err(CryptError);
    }
    let receiver_public = receiver.compute_public_key().map_err(|_| CryptError)?;
    let parties = Parties { receiver: receiver_public.as_ref(), sender };
    let (key, nonce) = derive(receiver, sender, &parties, auth, salt)?;
    let mut record = record.to_vec();
    let plain = key.open_in_place(nonce, Aad::empty(), &mut record).map_err(|_| CryptError)?;
    let end = plain.iter().rposition(|byte| *byte != 0).ok_or(CryptError)?;
    if plain[end] != DELIMITER {
        return Err(CryptError);
    }
    Ok(plain[..end].to_vec())
}

struct Parties<'a> {
    receiver: &'a [u8],
    sender: &'a [u8],
}

/// RFC 8291, section 3.4: the content encryption key and the nonce of the only record.
fn derive(
    own: &PrivateKey,
    other: &[u8],
    parties: &Parties<'_>,
    auth: &[u8; 16],
    salt: &[u8; 16],
) -> Result<(LessSafeKey, Nonce), CryptError> {
    let other = UnparsedPublicKey::new(&ECDH_P256, other);
    let info = [b"WebPush: info\0".as_slice(), parties.receiver, parties.sender];
    let ikm: [u8; 32] = agree(own, other, CryptError, |shared| expand(auth, shared, &info))?;
    let key: [u8; 16] = expand(salt, &ikm, &[b"Content-Encoding: aes128gcm\0"])?;
    let nonce: [u8; 12] = expand(salt, &ikm, &[b"Content-Encoding: nonce\0"])?;
    let key = UnboundKey::new(&AES_128_GCM, &key).map_err(|_| CryptError)?;
    Ok((LessSafeKey::new(key), Nonce::assume_unique_for_key(nonce)))
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> Result<[u8; N], CryptError> {
    let mut out = [0; N];
    let prk = Salt::new(HKDF_SHA256, salt).extract(secret);
    prk.expand(info, Length(N)).and_then(|okm| okm.fill(&mut out)).map_err(|_| CryptError)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    fn bytes(text: &str) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64")
    }

    fn array<const N: usize>(text: &str) -> [u8; N] {
        bytes(text).try_into().expect("the right length")
    }

    fn key(text: &str) -> PrivateKey {
        PrivateKey::from_private_key(&ECDH_P256, &bytes(text)).expect("a private key")
    }

    // The values of RFC 8291, appendix A.
    const PLAIN: &[u8] = b"When I grow up, I want to be a watermelon";
    const SENDER: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
    const RECEIVER: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
    const RECEIVER_PUBLIC: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
    const SALT: &str = "DGv6ra1nlYgDCS1FRnbzlw";
    const BODY: &str = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";

    #[test]
    fn the_vector_of_rfc_8291_is_encrypted_to_the_same_bytes() {
        let body = encrypt_with(PLAIN, &bytes(RECEIVER_PUBLIC), &array(AUTH), &array(SALT), &key(SENDER))
            .expect("encrypted");
        assert_eq!(body, bytes(BODY));
    }

    #[test]
    fn the_vector_of_rfc_8291_is_decrypted() {
        let plain = decrypt(&bytes(BODY), &key(RECEIVER), &array(AUTH)).expect("decrypted");
        assert_eq!(plain, PLAIN);
    }

    #[test]
    fn what_is_encrypted_fits_and_only_its_receiver_reads_it() {
        let receiver = PrivateKey::generate(&ECDH_P256).expect("a key");
        let public = receiver.compute_public_key().expect("a public key");
        let plain = vec![b'x'; MAX_PLAIN];
        let body = encrypt(&plain, public.as_ref(), &[7; 16]).expect("encrypted");
        assert_eq!(body.len(), MAX_BODY);
        assert_eq!(decrypt(&body, &receiver, &[7; 16]).expect("decrypted"), plain);
        assert!(decrypt(&body, &receiver, &[8; 16]).is_err());
        assert!(decrypt(&body[..50], &receiver, &[7; 16]).is_err());
    }
}
