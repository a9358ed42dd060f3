//! `namespace`: servers within the server, each with mounts, policies and tokens of its own.

use serde_json::{Value, json};

use super::{BASE, FIELD, FORMAT, HTTP, PAGE, logical};
use crate::args::{Flag, Kind};
use crate::client::{Ask, ClientError};
use crate::secret::Secret;
use crate::show::{self, Format};
use crate::verb::{Call, Failure, Verb};

/// The verbs of this file.
pub const VERBS: &[Verb] = &[
    Verb {
        words: &["namespace", "create"],
        about: "Make a namespace",
        takes: "PATH",
        example: "namespace create -custom-metadata=owner=team-a team-a",
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, FIELD, METADATA],
        run: create,
        ..BASE
    },
    Verb {
        words: &["namespace", "lookup"],
        about: "Tell about a namespace",
        takes: "PATH",
        example: "namespace lookup team-a",
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, FIELD],
        run: lookup,
        ..BASE
    },
    Verb {
        words: &["namespace", "list"],
        about: "List the namespaces",
        example: "namespace list",
        flags: &[HTTP, FORMAT, PAGE],
        run: |call| names(call, "list"),
        ..BASE
    },
    Verb {
        words: &["namespace", "scan"],
        about: "List all namespaces, those in namespaces too",
        example: "namespace scan",
        flags: &[HTTP, FORMAT, PAGE],
        run: |call| names(call, "scan"),
        ..BASE
    },
    Verb {
        words: &["namespace", "patch"],
        about: "Change a namespace's own metadata",
        takes: "PATH",
        example: "namespace patch -custom-metadata=owner=team-b -remove-custom-metadata=cost team-a",
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, FIELD, METADATA, REMOVE],
        run: patch,
        ..BASE
    },
    Verb {
        words: &["namespace", "delete"],
        about: "Destroy a namespace and everything in it",
        takes: "PATH",
        example: "namespace delete team-a",
        min: 1,
        max: Some(1),
        run: delete,
        ..BASE
    },
    Verb {
        words: &["namespace", "lock"],
        about: "Refuse every request in a namespace (the current one without PATH)",
        takes: "[PATH]",
        example: "namespace lock team-a",
        max: Some(1),
        flags: &[HTTP, FORMAT, FIELD],
        run: lock,
        ..BASE
    },
    Verb {
        words: &["namespace", "unlock"],
        about: "Take requests in a namespace again",
        takes: "[PATH]",
        example: "namespace unlock -unlock-key=KEY team-a",
        max: Some(1),
        flags: &[HTTP, FORMAT, UNLOCK],
        run: unlock,
        ..BASE
    },
];

const METADATA: &[Flag] = &[Flag {
    names: &["custom-metadata"],
    kind: Kind::Pairs,
    about: "A pair to keep with it; may come more than once",
}];
const REMOVE: &[Flag] = &[Flag {
    names: &["remove-custom-metadata"],
    kind: Kind::Many,
    about: "A pair's name to forget; may come more than once",
}];
const UNLOCK: &[Flag] =
    &[Flag { names: &["unlock-key"], kind: Kind::Text, about: "What locking it printed; root needs none" }];

const ALL: &str = "sys/namespaces";

fn path(call: &Call<'_>) -> String {
    format!("{ALL}/{}", call.path(0))
}

/// A server without namespaces does not know what is asked.
fn unknown(what: &str, cause: &ClientError) -> Failure {
    match cause {
        ClientError::Refused(refused) if refused.status == 404 => {
            Failure::remote(format!("{what}: this server has no namespaces: everything is in the root"))
        }
        _ => Failure::during(what, cause),
    }
}

/// Asks, and prints the data of the answer.
fn ask(call: &mut Call<'_>, what: &str, ask: &Ask<'_>) -> Result<u8, Failure> {
    let answer = call.client()?.ask(ask).map_err(|cause| unknown(what, &cause))?;
    match Secret::of(&answer).map_err(|cause| Failure::during(what, &cause))? {
        Some(found) => print(call, found),
        None => Ok(0),
    }
}

/// As JSON only the data, as Vault's command line has it.
fn print(call: &mut Call<'_>, found: Secret) -> Result<u8, Failure> {
    if call.format == Format::Table || call.flags.text("field").is_some() || !found.wrap_info.is_null() {
        return show::whole_or_field(call, &found);
    }
    show::document(call.io, call.format, &found.data)?;
    Ok(0)
}

fn create(call: &mut Call<'_>) -> Result<u8, Failure> {
    let path = path(call);
    let body = Value::Object(call.flags.body(METADATA));
    ask(call, "Error creating namespace", &Ask::put(&path, &body))
}

fn lookup(call: &mut Call<'_>) -> Result<u8, Failure> {
    let path = path(call);
    let found = Secret::find(&call.client()?, "Error looking up namespace", &Ask::get(&path))?;
    let found = found.ok_or_else(|| Failure::remote("Namespace not found"))?;
    print(call, found)
}

fn names(call: &mut Call<'_>, how: &str) -> Result<u8, Failure> {
    let client = call.client()?;
    if call.format == Format::Table || !call.flags.on("detailed") {
        return logical::names(call, &client, ALL, how);
    }
    // Here the details stand alone, as Vault's command line has it.
    let ask = Ask { query: vec![(how.to_owned(), "true".to_owned())], ..Ask::get(ALL) };
    let found = Secret::find(&client, "Error listing namespaces", &ask)?.ok_or_else(|| show::nothing(ALL))?;
    show::document(call.io, call.format, found.get("key_info").unwrap_or(&json!({})))?;
    Ok(0)
}

fn patch(call: &mut Call<'_>) -> Result<u8, Failure> {
    let mut metadata = call.flags.pairs("custom-metadata");
    metadata.extend(call.flags.all("remove-custom-metadata").iter().map(|name| (name.clone(), Value::Null)));
    if metadata.is_empty() {
        return Err(Failure::local("Nothing to change: give -custom-metadata or -remove-custom-metadata"));
    }
    let path = path(call);
    let body = json!({ "custom_metadata": metadata });
    ask(call, "Error patching namespace", &Ask { method: "PATCH", ..Ask::put(&path, &body) })
}

fn delete(call: &mut Call<'_>) -> Result<u8, Failure> {
    let path = path(call);
    let what = "Error deleting namespace";
    let answer = call.client()?.ask(&Ask::delete(&path)).map_err(|cause| unknown(what, &cause))?;
    if let Ok(Some(found)) = Secret::of(&answer) {
        show::warnings(call.io, &found);
    }
    call.io.say(&format!("Success! Namespace deletion scheduled: {}/", call.path(0)));
    Ok(0)
}

/// Below `sys/namespaces/api-lock`; the namespace that the client is in without a path.
fn lock_path(call: &Call<'_>, how: &str) -> String {
    format!("{ALL}/api-lock/{how}/{}", call.path(0)).trim_end_matches('/').to_owned()
}

fn lock(call: &mut Call<'_>) -> Result<u8, Failure> {
    let path = lock_path(call, "lock");
    ask(call, "Error locking namespace", &Ask::put(&path, &json!({})))
}

fn unlock(call: &mut Call<'_>) -> Result<u8, Failure> {
    let path = lock_path(call, "unlock");
    let body = Value::Object(call.flags.body(UNLOCK));
    let what = "Error unlocking namespace";
    call.client()?.ask(&Ask::put(&path, &body)).map_err(|cause| unknown(what, &cause))?;
    call.io.say("Success! Namespace unlocked");
    Ok(0)
}
