//! What the document says of one call. It stands beside the call's route.

use crowdlink_core::Error;
use crowdlink_core::tokens::Requires;
use http::StatusCode;

use super::schema::{Schema, empty, string};

/// Who may make a call (`spec 3`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Everybody, without a token.
    Open,
    /// Every valid token.
    Anyone,
    /// The channel's broadcaster.
    Broadcaster,
    /// The channel's broadcaster, admin or backend.
    BroadcasterOrTrusted,
    /// Admin or backend.
    Trusted,
    /// Admin or backend, or a broadcaster who owns the extension.
    TrustedOrOwner,
}

impl Who {
    /// As the document says it.
    pub(super) const fn told(self) -> &'static str {
        match self {
            Self::Open => "Who: everybody; no token.",
            Self::Anyone => "Who: any valid token.",
            Self::Broadcaster => "Who: the broadcaster of the channel.",
            Self::BroadcasterOrTrusted => "Who: the broadcaster of the channel, admin, backend.",
            Self::Trusted => "Who: admin, backend.",
            Self::TrustedOrOwner => {
                "Who: admin, backend, and the broadcaster whose user id owns the extension."
            }
        }
    }

    /// What a token must be; `None` where none is wanted.
    pub(crate) const fn requires(self) -> Option<Requires> {
        match self {
            Self::Open => None,
            Self::Anyone => Some(Requires::Anyone),
            Self::Broadcaster => Some(Requires::Broadcaster),
            // Ownership is not asked of a token alone.
            Self::BroadcasterOrTrusted | Self::TrustedOrOwner => {
                Some(Requires::BroadcasterOrTrusted)
            }
            Self::Trusted => Some(Requires::Trusted),
        }
    }
}

/// A parameter of a call.
#[derive(Clone)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) header: bool,
    pub(super) required: bool,
    pub(super) schema: Schema,
    pub(super) told: &'static str,
}

/// The body of a request.
pub(super) struct Body {
    pub(super) schema: Schema,
    pub(super) media: &'static str,
    /// Of the JSON as it is stored.
    pub(super) json_bytes_max: Option<usize>,
    /// Of the request, where another limit stands in the place of the usual one.
    pub(super) bytes_max: Option<usize>,
}

/// What the document says of a call.
pub(in crate::rest) struct Call {
    pub(super) summary: &'static str,
    pub(super) told: Option<&'static str>,
    pub(super) who: Who,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) status: StatusCode,
    pub(super) answer: Schema,
    pub(super) tagged: bool,
    pub(super) refusals: Vec<Error>,
}

impl Call {
    /// A call that takes nothing and answers `{}`.
    pub(in crate::rest) fn of(who: Who, summary: &'static str) -> Self {
        Self {
            summary,
            told: None,
            who,
            parameters: Vec::new(),
            body: None,
            status: StatusCode::OK,
            answer: empty(),
            tagged: false,
            refusals: Vec::new(),
        }
    }

    /// More about it.
    pub(in crate::rest) fn told(mut self, told: &'static str) -> Self {
        self.told = Some(told);
        self
    }

    fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    fn asks(self, required: bool, name: &'static str, schema: Schema, told: &'static str) -> Self {
        self.parameter(Parameter {
            name,
            header: false,
            required,
            schema,
            told,
        })
    }

    /// It takes a parameter.
    pub(in crate::rest) fn query(
        self,
        name: &'static str,
        schema: Schema,
        told: &'static str,
    ) -> Self {
        self.asks(false, name, schema, told)
    }

    /// It needs a parameter.
    pub(in crate::rest) fn required(
        self,
        name: &'static str,
        schema: Schema,
        told: &'static str,
    ) -> Self {
        self.asks(true, name, schema, told)
    }

    /// It takes the id of one of several things.
    pub(in crate::rest) fn by_id(self) -> Self {
        self.query("id", string(), "Which one; `default` where left out.")
    }

    /// It is about a channel, which trusted callers may name.
    pub(in crate::rest) fn channel(self) -> Self {
        let told = "The channel, for admin and backend whose token names none or another. For \
                    others it must be the token's.";
        self.query("channel_id", string(), told)
    }

    fn header(self, name: &'static str, told: &'static str) -> Self {
        self.parameter(Parameter {
            name,
            header: true,
            required: false,
            schema: string(),
            told,
        })
    }

    /// Its answer has an entity tag, and may be asked for only if it changed.
    pub(in crate::rest) fn tagged(mut self) -> Self {
        self.tagged = true;
        self.header(
            "If-None-Match",
            "Entity tags; 304 where the answer has one of them.",
        )
    }

    /// It may be made to depend on nothing having changed.
    pub(in crate::rest) fn conditional(self) -> Self {
        self.header(
            "If-Match",
            "Entity tags; 412 where the document has none of them.",
        )
        .refuses([Error::PreconditionFailed])
    }

    /// It takes a body.
    pub(in crate::rest) fn takes(mut self, schema: Schema) -> Self {
        self.body = Some(Body {
            schema,
            media: "application/json",
            json_bytes_max: None,
            bytes_max: None,
        });
        self
    }

    /// It takes a text as its body.
    pub(in crate::rest) fn takes_text(self) -> Self {
        let mut call = self.takes(string());
        if let Some(body) = &mut call.body {
            body.media = "text/plain";
        }
        call
    }

    /// Its body may be that long, minified.
    pub(in crate::rest) fn json_bytes_max(mut self, bytes_max: usize) -> Self {
        if let Some(body) = &mut self.body {
            body.json_bytes_max = Some(bytes_max);
        }
        self
    }

    /// Its request may be that long, whatever others may.
    pub(in crate::rest) fn request_bytes_max(mut self, bytes_max: usize) -> Self {
        if let Some(body) = &mut self.body {
            body.bytes_max = Some(bytes_max);
        }
        self
    }

    /// What it answers.
    pub(in crate::rest) fn answers(mut self, schema: Schema) -> Self {
        self.answer = schema;
        self
    }

    /// Its success is 201.
    pub(in crate::rest) fn creates(mut self) -> Self {
        self.status = StatusCode::CREATED;
        self
    }

    /// Refusals of its own, besides those that all calls of its kind may meet.
    pub(in crate::rest) fn refuses<const N: usize>(mut self, errors: [Error; N]) -> Self {
        self.refusals.extend(errors);
        self
    }

    /// The same, where things have not been found: what is said then.
    pub(in crate::rest) fn misses(self, reason: &'static str) -> Self {
        self.refuses([Error::NotFound(reason.into())])
    }
}
