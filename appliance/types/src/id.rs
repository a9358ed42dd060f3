//! One type per kind of identifier, so that two kinds are never confused.

use std::fmt;

use uuid::Uuid;

use crate::{Entropy, NoEntropy};

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// A version 4 UUID from 16 random bytes.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(*uuid::Builder::from_random_bytes(bytes).as_uuid().as_bytes())
            }

            /// From its text, `8-4-4-4-12` hexadecimal digits.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(|id| Self(*id.as_bytes()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a UUID"))
            }
        }
    };
}

uuid_id!(
    /// The appliance's (later: the cluster's) identity, made at init.
    ClusterId
);
uuid_id!(
    /// A namespace. The root namespace is [`NamespaceId::ROOT`].
    NamespaceId
);
uuid_id!(
    /// A mount; stays the same when the mount is moved.
    MountId
);
uuid_id!(
    /// One request, in its answer and in the audit log.
    RequestId
);

impl NamespaceId {
    /// The root namespace.
    pub const ROOT: Self = Self([0; 16]);
}

/// The text of a random version 4 UUID, for what clients expect to be one.
pub fn random_uuid(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    Ok(uuid::Builder::from_random_bytes(entropy.draw()?).into_uuid().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let id = MountId::from_random([7; 16]);
        assert_eq!(MountId::parse(&id.to_string()), Some(id));
        assert_eq!(MountId::parse("nonsense"), None);
        assert_eq!(serde_json::from_str::<MountId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
    }
}
