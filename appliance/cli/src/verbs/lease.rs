//! `lease`: what the server takes back when its time is over.

use serde_json::{Value, json};

use super::token::INCREMENT;
use super::{BASE, FIELD, FORMAT, HTTP};
use crate::args::{Flag, Kind};
use crate::client::Ask;
use crate::secret::Secret;
use crate::show;
use crate::verb::{Call, Failure, Verb};

/// The verbs of this file.
pub const VERBS: &[Verb] = &[
    Verb {
        words: &["lease", "lookup"],
        about: "Tell what is known of a lease",
        takes: "ID",
        example: "lease lookup auth/userpass/login/ann/h8f2a91c",
        max: Some(1),
        flags: &[HTTP, FORMAT, FIELD],
        run: lookup,
        ..BASE
    },
    Verb {
        words: &["lease", "renew"],
        about: "Let a lease live longer",
        takes: "ID",
        example: "lease renew -increment=1h database/creds/app/2f6a614c",
        max: Some(1),
        flags: &[HTTP, FORMAT, FIELD, INCREMENT],
        run: renew,
        ..BASE
    },
    Verb {
        words: &["lease", "revoke"],
        about: "End a lease, or with -prefix all below a path",
        takes: "ID",
        example: "lease revoke -prefix database/creds/app",
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, REVOKE],
        run: revoke,
        ..BASE
    },
];

const REVOKE: &[Flag] = &[
    Flag { names: &["prefix"], kind: Kind::Bool, about: "All leases below this path" },
    Flag {
        names: &["force", "f"],
        kind: Kind::Bool,
        about: "With -prefix: also where the engine cannot take back what it gave",
    },
    Flag { names: &["sync"], kind: Kind::Bool, about: "Wait until it is done" },
];

fn id(call: &Call<'_>) -> Result<String, Failure> {
    match call.argument(0).trim() {
        "" => Err(Failure::local("Missing ID!")),
        id => Ok(id.to_owned()),
    }
}

fn lookup(call: &mut Call<'_>) -> Result<u8, Failure> {
    let id = id(call)?;
    let what = format!("error looking up lease id {id}");
    let body = json!({ "lease_id": id });
    let secret = Secret::must(&call.client()?, &what, &Ask::put("sys/leases/lookup", &body))?;
    show::whole_or_field(call, &secret)
}

fn renew(call: &mut Call<'_>) -> Result<u8, Failure> {
    let id = id(call)?;
    let mut body = json!({ "lease_id": id });
    if let (Some(seconds), Some(body)) = (call.flags.seconds("increment"), body.as_object_mut()) {
        body.insert("increment".into(), seconds.into());
    }
    let what = format!("Error renewing {id}");
    let secret = Secret::must(&call.client()?, &what, &Ask::put("sys/leases/renew", &body))?;
    show::whole_or_field(call, &secret)
}

fn revoke(call: &mut Call<'_>) -> Result<u8, Failure> {
    let id = id(call)?;
    let flag = |name: &str| call.flags.on(name);
    let (prefix, force, sync) = (flag("prefix"), flag("force"), flag("sync"));
    if force && !prefix {
        return Err(Failure::local("Specifying -force requires also specifying -prefix"));
    }
    let client = call.client()?;
    let sync_body = json!({ "sync": sync });
    let ask = |what: &str, path: &str, body: &Value| Secret::ask(&client, what, &Ask::put(path, body));
    if force {
        call.io.error(
            "Warning! Force-removing leases leaves behind what the engines cannot take back: accounts that nobody \
             ends any more.",
        );
        ask(
            &format!("Error force revoking leases with prefix {id}"),
            &format!("sys/leases/revoke-force/{id}"),
            &json!({}),
        )?;
        call.io.say(&format!("Success! Force revoked any leases with prefix: {id}"));
    } else if prefix {
        ask(
            &format!("Error revoking leases with prefix {id}"),
            &format!("sys/leases/revoke-prefix/{id}"),
            &sync_body,
        )?;
        call.io.say(&match sync {
            true => format!("Success! Revoked any leases with prefix: {id}"),
            false => "All revocation operations queued successfully!".to_owned(),
        });
    } else {
        let body = json!({ "lease_id": id, "sync": sync });
        ask(&format!("Error revoking lease {id}"), "sys/leases/revoke", &body)?;
        call.io.say(&match sync {
            true => format!("Success! Revoked lease: {id}"),
            false => "All revocation operations queued successfully!".to_owned(),
        });
    }
    Ok(0)
}
