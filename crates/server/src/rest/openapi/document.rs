//! The document as a whole.

use crowdlink_protocol::Stage;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem,
    Paths, RefOr, Required, Response, ResponseBuilder, SecurityRequirement,
};

use super::Bounds;
use super::call::{Body, Call, Parameter, Who};
use super::refusals;
use super::routes::Route;
use super::schema::string;
use super::shapes;

const EXTENSION_TOKEN: &str = "extension_token";
const BEARER: &str = "bearer";
const JSON: &str = "application/json";

const TOLD: &str = "JSON in, JSON out. Bodies are read as JSON whatever their content type says; \
    a body that is a JSON string which holds an object or a list counts as that, and none at all \
    as `{}`. A field that is `null` counts as left out. Parameters that a call does not know are ignored; one that comes twice is refused. \
    HEAD and OPTIONS work everywhere, from pages of any origin. A call with a token may be \
    refused for its rate with 429; `Retry-After` tells when to come again.";

const EXTENSION_TOKEN_TOLD: &str = "`<client id> <jwt>`, one space: the extension's client id, \
    and a JWT (HS256) signed by this server, by the platform or with a secret of the extension.";

const BEARER_TOLD: &str = "`Bearer <jwt>`, where the token names its extension.";

/// The document of these routes.
pub(super) fn of(stage: Stage, routes: Vec<Route>, bounds: &Bounds) -> OpenApi {
    let info = InfoBuilder::new()
        .title(format!("Crowdlink REST ({stage})"))
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(TOLD))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0 OR MIT")
                .identifier(Some("Apache-2.0 OR MIT"))
                .build(),
        ))
        .build();
    let mut features: Vec<&str> = Vec::new();
    let mut paths = Paths::new();
    for route in routes {
        if features.last() != Some(&route.feature) {
            features.push(route.feature);
        }
        let item = PathItem::new(method(&route), operation(&route, bounds));
        match paths.paths.get_mut(route.path) {
            Some(known) => known.merge_operations(item),
            None => {
                paths.paths.insert(route.path.to_owned(), item);
            }
        }
    }
    let tags = features
        .into_iter()
        .map(|name| TagBuilder::new().name(name).build());
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components(bounds)))
        .tags(Some(tags))
        .build()
}

fn components(bounds: &Bounds) -> Components {
    let mut components = Components::new();
    for (name, schema) in shapes::all() {
        components.schemas.insert(name.to_owned(), schema);
    }
    for (name, response) in refusals::shared(bounds) {
        components.responses.insert(name, RefOr::T(response));
    }
    let key = ApiKeyValue::with_description("Authorization", EXTENSION_TOKEN_TOLD);
    components.add_security_scheme(EXTENSION_TOKEN, SecurityScheme::ApiKey(ApiKey::Header(key)));
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(BEARER_TOLD))
        .build();
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    components
}

fn method(route: &Route) -> HttpMethod {
    match route.method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        // Routes are of these five methods.
        _ => HttpMethod::Get,
    }
}

/// A name that generators of clients make functions of: `get_config_channel`.
fn operation_id(route: &Route) -> String {
    let path = route
        .path
        .trim_start_matches("/v1/")
        .trim_start_matches("e/");
    let path = path.trim_start_matches('/').replace(['/', '.'], "_");
    format!("{}_{path}", route.method.as_str().to_lowercase())
}

fn operation(route: &Route, bounds: &Bounds) -> OperationBuilder {
    let call = &route.call;
    let mut told = call.who.told().to_owned();
    if let Some(more) = call.told {
        told = format!("{more}\n\n{told}");
    }
    let mut operation = OperationBuilder::new()
        .tag(route.feature)
        .operation_id(Some(operation_id(route)))
        .summary(Some(call.summary))
        .description(Some(told))
        .securities(Some(securities(call.who)))
        .request_body(call.body.as_ref().map(|body| request(body, bounds)))
        .response(call.status.as_str(), success(call));
    for parameter in &call.parameters {
        operation = operation.parameter(parameter_of(parameter));
    }
    if call.tagged {
        let unchanged = ResponseBuilder::new()
            .description("It is as the caller has it")
            .header("ETag", etag())
            .build();
        operation = operation.response("304", unchanged);
    }
    for (status, response) in refusals::responses(call, bounds) {
        operation = operation.response(status, response);
    }
    operation
}

fn securities(who: Who) -> Vec<SecurityRequirement> {
    let names: &[&str] = if who == Who::Open {
        &[]
    } else {
        &[EXTENSION_TOKEN, BEARER]
    };
    let none: [&str; 0] = [];
    let security = |name: &&str| SecurityRequirement::new(*name, none);
    names.iter().map(security).collect()
}

fn parameter_of(parameter: &Parameter) -> ParameterBuilder {
    let (place, required) = (
        if parameter.header {
            ParameterIn::Header
        } else {
            ParameterIn::Query
        },
        if parameter.required {
            Required::True
        } else {
            Required::False
        },
    );
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(place)
        .required(required)
        .description(Some(parameter.told))
        .schema(Some(parameter.schema.clone()))
}

fn request(body: &Body, bounds: &Bounds) -> RequestBody {
    let bytes_max = body.bytes_max.unwrap_or(bounds.body_bytes_max);
    let mut told = format!("At most {bytes_max} bytes");
    if let Some(json_bytes_max) = body.json_bytes_max {
        told =
            format!("{told}; what is kept of it at most {json_bytes_max} bytes of minified JSON");
    }
    let extensions = ExtensionsBuilder::new()
        .add("x-bytes-max", body.json_bytes_max.unwrap_or(bytes_max))
        .build();
    let content = ContentBuilder::new().schema(Some(body.schema.clone()));
    RequestBodyBuilder::new()
        .description(Some(told))
        .content(body.media, content.build())
        .extensions(Some(extensions))
        .build()
}

fn success(call: &Call) -> Response {
    let content = ContentBuilder::new().schema(Some(call.answer.clone()));
    let mut response = ResponseBuilder::new()
        .description(call.status.canonical_reason().unwrap_or("Success"))
        .content(JSON, content.build());
    if call.tagged {
        response = response.header("ETag", etag());
    }
    response.build()
}

fn etag() -> utoipa::openapi::Header {
    HeaderBuilder::new()
        .schema(Some(string()))
        .description(Some(
            "The entity tag of the answer, for `If-None-Match` and `If-Match`.",
        ))
        .build()
}
