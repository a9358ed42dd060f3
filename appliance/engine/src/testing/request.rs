//! A request on its way to a handler, as core prepares it.

use serde_json::Value;
use strongroom_types::error::Kind;
use strongroom_types::path::parse_query;
use strongroom_types::{ApiPath, JsonMap, Operation, Refusal, Reply, Secret};

use super::{Answer, MERGE_PATCH, block_on};
use crate::field::convert;
use crate::route::find;
use crate::{Body, Call, Cx, Endpoint, Handler, NoLogin, Outcome, Params, Route};

/// What is left to do is to run it.
pub struct Prepared {
    route: &'static Route<Handler>,
    endpoint: &'static Endpoint<Handler>,
    path: String,
    operation: Operation,
    params: Params,
    given: JsonMap,
    fields: JsonMap,
    raw: Vec<u8>,
    after: Option<String>,
    limit: Option<usize>,
}

impl Prepared {
    pub fn new(
        routes: &'static [Route<Handler>],
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Option<&str>,
    ) -> Result<Self, Refusal> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = ApiPath::parse(path).map_err(|error| Refusal::bad_request(error.message()))?;
        let mut query = parse_query(query).map_err(|error| Refusal::bad_request(error.message()))?;
        let operation = operation(method, &mut query)?;
        match operation {
            Operation::List | Operation::Scan => {}
            // Access lists tell `a/` from `a`, so that the one must never be answered with the other.
            Operation::Read if path.has_trailing_slash() => return Err(Refusal::not_found()),
            _ if path.has_trailing_slash() => {
                return Err(Refusal::bad_request("cannot write to a path ending in '/'"));
            }
            _ => {}
        }
        let (route, params) =
            find(routes, path.as_str()).ok_or_else(|| Refusal::new(Kind::NotFound, "unsupported path"))?;
        let endpoint = route.endpoint(operation).ok_or_else(Refusal::unsupported)?;
        if endpoint.body == Body::MergePatch && content_type != Some(MERGE_PATCH) {
            return Err(Refusal::new(Kind::MediaType, "PATCH requires another content type"));
        }
        let take = |query: &mut Vec<(String, String)>, name: &str| {
            let at = query.iter().position(|(key, _)| key == name)?;
            Some(query.remove(at).1).filter(|value| !value.is_empty())
        };
        let after = take(&mut query, "after");
        let limit = take(&mut query, "limit").and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
        let raw = if endpoint.body == Body::None { "" } else { body.unwrap_or_default() };
        let given = if operation.is_write() && endpoint.body != Body::None {
            object(raw)?
        } else {
            query.into_iter().map(|(key, value)| (key, Value::from(value))).collect()
        };
        let mut fields = given.clone();
        convert(endpoint.fields, &mut fields)?;
        Ok(Self {
            route,
            endpoint,
            path: path.as_str().to_owned(),
            operation,
            params,
            given,
            fields,
            raw: raw.into(),
            after,
            limit,
        })
    }

    /// The path below the mount.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Runs the handler; whether the write creates is asked first, where the route can tell.
    pub fn run(&self, cx: &Cx) -> Result<Outcome, Refusal> {
        let mut call = Call {
            operation: self.operation,
            params: self.params.clone(),
            fields: self.fields.clone(),
            raw: Secret::copy_of(&self.raw),
            after: self.after.clone(),
            limit: self.limit,
        };
        if let (Operation::Update, Some(exists)) = (self.operation, self.route.exists)
            && !exists(cx, &call)?
        {
            call.operation = Operation::Create;
        }
        match self.endpoint.run {
            Handler::Inline(run) | Handler::Blocking(run) | Handler::Compute(run) => run(cx, &call),
            // What core makes a token of.
            Handler::Login(run) | Handler::SlowLogin(run) => {
                run(cx, &call).map_err(NoLogin::into_refusal).map(|login| {
                    let token = login.token.shown();
                    let data = serde_json::json!({
                        "alias": login.alias,
                        "display_name": login.display_name,
                        "metadata": login.metadata,
                        "token": token,
                    });
                    Outcome::new(Reply::data(data), login.writes)
                })
            }
            Handler::Async(run) => block_on(run(cx, &call)),
        }
    }

    /// The refusal as the client sees it: behind the plain 404 of a PATCH there is nothing at all.
    pub fn refused(&self, name: &str, refusal: &Refusal) -> Answer {
        let mut answer = Answer::refused(name.into(), refusal);
        if self.operation == Operation::Patch && answer.body == serde_json::json!({ "errors": [] }) {
            answer.body = Value::Null;
        }
        answer
    }

    /// The answer to the client: a list of nothing, and a read of nothing, are 404.
    pub fn answer(&self, name: &str, reply: Reply) -> Answer {
        let reply = self.route.warn_about(&self.given, reply);
        let is_list = matches!(self.operation, Operation::List | Operation::Scan);
        let is_nothing = match &reply {
            Reply::Empty => is_list || self.operation == Operation::Read,
            Reply::Logical(logical) => {
                is_list && logical.data.as_ref().is_some_and(|data| data["keys"] == Value::Array(vec![]))
            }
            _ => false,
        };
        if is_nothing {
            Answer::refused(name.into(), &Refusal::not_found())
        } else {
            Answer::of(name.into(), reply)
        }
    }
}

fn operation(method: &str, query: &mut Vec<(String, String)>) -> Result<Operation, Refusal> {
    let mut is_set = |name: &str| {
        let found = query.iter().position(|(key, _)| key == name);
        found.is_some_and(|at| query.remove(at).1 == "true")
    };
    Ok(match method {
        "GET" if is_set("list") => Operation::List,
        "GET" if is_set("scan") => Operation::Scan,
        "GET" => Operation::Read,
        "LIST" => Operation::List,
        "SCAN" => Operation::Scan,
        "POST" | "PUT" => Operation::Update,
        "PATCH" => Operation::Patch,
        "DELETE" => Operation::Delete,
        _ => return Err(Refusal::unsupported()),
    })
}

fn object(body: &str) -> Result<JsonMap, Refusal> {
    if body.trim().is_empty() {
        return Ok(JsonMap::new());
    }
    match serde_json::from_str(body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(Value::Null) => Ok(JsonMap::new()),
        _ => Err(Refusal::bad_request("failed to decode JSON input")),
    }
}
