//! `/docs`: both documents as one page of HTML, without a script.

use std::fmt::Write;
use std::sync::LazyLock;

use serde_json::{Map, Value};

pub const STYLE: &str = include_str!("style.css");

/// The page.
pub fn render(openapi: &Value, asyncapi: &Value) -> String {
    let mut page = Page(String::with_capacity(128 * 1024));
    page.raw(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Tidings: the API</title>",
    );
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    page.raw("<link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body><nav aria-label=\"Contents\">");
    page.contents(openapi, asyncapi);
    page.raw("</nav><main><h1>Tidings: the API</h1>");
    page.paragraph(&openapi["info"]["description"]);
    page.raw("<p>For machines: <a href=\"/v1/openapi.json\">OpenAPI</a>, <a href=\"/v1/asyncapi.json\">AsyncAPI</a>.</p>");
    page.authentication(openapi);
    page.raw("<h2 id=\"http\">HTTP</h2>");
    for (path, method, operation) in operations(openapi) {
        page.operation(path, method, operation);
    }
    page.raw("<h2 id=\"errors\">Errors</h2><p>Every error is <code>application/problem+json</code>.</p>");
    page.errors(openapi);
    page.raw("<h2 id=\"socket\">WebSocket</h2>");
    page.paragraph(&asyncapi["channels"]["socket"]["description"]);
    for (title, side) in [("The client says", "client."), ("The server says", "server.")] {
        let _ = write!(page.0, "<h3 id=\"{side}\">{title}</h3>");
        for (name, message) in object(&asyncapi["components"]["messages"]) {
            if let Some(short) = name.strip_prefix(side) {
                page.frame(name, short, message);
            }
        }
    }
    page.raw("<h2 id=\"objects\">Objects</h2>");
    let mut schemas = object(&openapi["components"]["schemas"]).clone();
    for (name, schema) in object(&asyncapi["components"]["schemas"]) {
        schemas.entry(name.clone()).or_insert_with(|| schema.clone());
    }
    for (name, schema) in &schemas {
        let _ = write!(page.0, "<section id=\"object.{name}\"><h4>{name}</h4>");
        page.schema(schema);
        page.raw("</section>");
    }
    page.raw("</main></body></html>\n");
    page.0
}

static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or(&*NOTHING)
}

fn operations(openapi: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    object(&openapi["paths"]).iter().flat_map(|(path, item)| {
        object(item).iter().map(move |(method, operation)| (path, method, operation))
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Text between tags and in quoted attributes; `code` stays code, line breaks in comments are spaces.
fn escaped(text: &str) -> String {
    let plain = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let mut html = String::with_capacity(plain.len());
    for (at, part) in plain.split('`').enumerate() {
        // Every second part stands between two backticks.
        if at % 2 == 1 {
            let _ = write!(html, "<code>{part}</code>");
        } else {
            html.push_str(part);
        }
    }
    html
}

struct Page(String);

impl Page {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    fn paragraph(&mut self, value: &Value) {
        if !text(value).is_empty() {
            let _ = write!(self.0, "<p>{}</p>", escaped(text(value)));
        }
    }

    fn contents(&mut self, openapi: &Value, asyncapi: &Value) {
        self.raw("<a href=\"#http\">HTTP</a><ul>");
        for (path, method, operation) in operations(openapi) {
            let id = text(&operation["operationId"]);
            let _ = write!(
                self.0,
                "<li><a href=\"#{id}\"><b>{}</b> {}</a></li>",
                method.to_uppercase(),
                escaped(path)
            );
        }
        self.raw("</ul><a href=\"#errors\">Errors</a><a href=\"#socket\">WebSocket</a><ul>");
        for name in object(&asyncapi["components"]["messages"]).keys() {
            let _ = write!(self.0, "<li><a href=\"#{name}\">{}</a></li>", name.replace('.', ": "));
        }
        self.raw("</ul><a href=\"#objects\">Objects</a>");
    }

    fn authentication(&mut self, openapi: &Value) {
        self.raw("<dl>");
        for (name, scheme) in object(&openapi["components"]["securitySchemes"]) {
            let header = match &scheme["name"] {
                Value::String(name) => name.clone(),
                _ => "Authorization: Bearer".to_owned(),
            };
            let description = escaped(text(&scheme["description"]));
            let _ = write!(self.0, "<dt>{name} <code>{header}</code></dt><dd>{description}</dd>");
        }
        self.raw("</dl>");
    }

    fn operation(&mut self, path: &str, method: &str, operation: &Value) {
        let id = text(&operation["operationId"]);
        let _ = write!(
            self.0,
            "<section id=\"{id}\"><h3><b class=\"{method}\">{}</b> <code>{}</code></h3>",
            method.to_uppercase(),
            escaped(path)
        );
        self.paragraph(&operation["summary"]);
        self.paragraph(&operation["description"]);
        let who = match operation["security"].as_array() {
            None => "A user, or a backend for one.".to_owned(),
            Some(ways) => {
                let names: Vec<String> = ways
                    .iter()
                    .map(|way| object(way).keys().cloned().collect::<Vec<_>>().join(" and "))
                    .map(|way| if way.is_empty() { "nobody in particular".to_owned() } else { way })
                    .collect();
                format!("Who may ask: {}.", names.join(", or "))
            }
        };
        let _ = write!(self.0, "<p class=\"who\">{who}</p>");
        let parameters: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
        if !parameters.is_empty() {
            self.raw("<table><caption>Parameters</caption><tbody>");
            for parameter in parameters {
                let name = format!("{} ({})", text(&parameter["name"]), text(&parameter["in"]));
                let mut schema = parameter["schema"].clone();
                if let (Some(schema), Some(described)) =
                    (schema.as_object_mut(), parameter.get("description"))
                {
                    schema.insert("description".to_owned(), described.clone());
                }
                self.field(&name, &schema, parameter["required"] == true);
            }
            self.raw("</tbody></table>");
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        if !body.is_null() {
            let _ = write!(self.0, "<p>Body: {}</p>", kind(body));
        }
        self.raw("<ul class=\"answers\">");
        for (status, answer) in object(&operation["responses"]) {
            let what = match answer["$ref"].as_str().and_then(|at| at.rsplit('/').next()) {
                Some(code) => format!("<a href=\"#error.{code}\">{code}</a>"),
                None => match &answer["content"]["application/json"]["schema"] {
                    Value::Null => escaped(text(&answer["description"])),
                    schema => kind(schema),
                },
            };
            let _ = write!(self.0, "<li><b>{status}</b> {what}</li>");
        }
        self.raw("</ul></section>");
    }

    fn errors(&mut self, openapi: &Value) {
        self.raw("<dl>");
        for (code, answer) in object(&openapi["components"]["responses"]) {
            let description = escaped(text(&answer["description"]));
            let _ = write!(self.0, "<dt id=\"error.{code}\"><code>{code}</code></dt><dd>{description}</dd>");
        }
        self.raw("</dl>");
    }

    fn frame(&mut self, id: &str, name: &str, message: &Value) {
        let _ = write!(self.0, "<section id=\"{id}\"><h4><code>{name}</code></h4>");
        self.paragraph(&message["summary"]);
        self.schema(&message["payload"]);
        self.raw("</section>");
    }

    fn schema(&mut self, schema: &Value) {
        self.paragraph(&schema["description"]);
        for key in ["allOf", "oneOf"] {
            for part in schema[key].as_array().into_iter().flatten() {
                if part.get("$ref").is_some() {
                    let _ = write!(self.0, "<p>{}</p>", kind(part));
                }
                self.schema(part);
            }
        }
        let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().map(text).collect();
        if let Some(fields) = schema["properties"].as_object() {
            self.raw("<table><tbody>");
            for (name, field) in fields {
                self.field(name, field, required.contains(&name.as_str()));
            }
            self.raw("</tbody></table>");
        } else if schema.get("type").is_some() && schema["type"] != "object" {
            let _ = write!(self.0, "<p>{}</p>", kind(schema));
        }
    }

    fn field(&mut self, name: &str, schema: &Value, required: bool) {
        let optional = if required { "" } else { "?" };
        let _ = write!(
            self.0,
            "<tr><th scope=\"row\"><code>{}{optional}</code></th><td>{}</td><td>{}</td></tr>",
            escaped(name),
            kind(schema),
            escaped(text(&schema["description"]))
        );
    }
}

/// What a value is, in a few words of HTML.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()) {
        return format!("<a href=\"#object.{name}\">{name}</a>");
    }
    for key in ["oneOf", "allOf"] {
        if let Some(parts) = schema[key].as_array() {
            let parts: Vec<String> = parts.iter().filter(|part| part["type"] != "null").map(kind).collect();
            return parts.join(" or ");
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> =
            words.iter().map(|word| format!("<code>{}</code>", escaped(text(word)))).collect();
        return words.join(", ");
    }
    if let Some(word) = schema["const"].as_str() {
        return format!("<code>{}</code>", escaped(word));
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::Array(names) => names.iter().map(text).filter(|name| *name != "null").collect(),
        name => vec![text(name)],
    };
    match (names.as_slice(), &schema["items"], &schema["format"]) {
        (["array"], items, _) => format!("list of {}", kind(items)),
        (["string"], _, Value::String(format)) => escaped(format),
        ([""], _, _) => "any JSON".to_owned(),
        (names, _, _) => escaped(&names.join(" or ")),
    }
}
