//! The HTTP surface: which path and method goes where, for which host, and with which browser permissions. Handlers
//! hand over to their step, record refusals, and let `answer.rs` speak.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, RawQuery, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tower_http::cors::{Any, CorsLayer};

use crate::answer;
use crate::authorize::{self, Decided, Shown, page};
use crate::broker::Broker;
use crate::client::ClientId;
use crate::error::{DecisionError, ParametersError, RegisterError, TokenError};
use crate::events::{BrokerEvent, Refusal};
use crate::metadata::{Metadata, paths};
use crate::parameters::MAX_BYTES;
use crate::{register, token};

/// How long clients and verifiers may keep metadata and keys. A new key is published for longer before it signs.
const DOCUMENT_MAX_AGE: Duration = Duration::from_mins(5);

type ReadBody = Result<Bytes, BytesRejection>;

impl Broker {
    /// All endpoints, at the paths that follow from the issuer. Put it behind a listener whose clients use the
    /// issuer's host and port: requests for other hosts are refused, which stops DNS rebinding.
    pub fn router(&self) -> Router {
        let issuer = &self.settings().issuer;
        let for_clients = Router::new()
            .route(&issuer.metadata_path(), get(metadata))
            .route(&issuer.path_of(paths::JWKS), get(jwks))
            .route(&issuer.path_of(paths::REGISTER), post(register_client))
            .route(&issuer.path_of(paths::TOKEN), post(exchange_token))
            .layer(cors());
        let for_users = Router::new()
            .route(&issuer.path_of(paths::AUTHORIZE), get(show_consent).post(decide_consent))
            .route(&issuer.path_of(paths::STYLE), get(style));
        for_clients
            .merge(for_users)
            .layer(DefaultBodyLimit::max(MAX_BYTES))
            .layer(middleware::from_fn_with_state(self.clone(), admit_host))
            .with_state(self.clone())
    }

    fn refuse(&self, refusal: Refusal, client_id: Option<ClientId>) {
        self.record(BrokerEvent::Refused { refusal, client_id });
    }

    fn style_path(&self) -> String {
        self.settings().issuer.path_of(paths::STYLE)
    }
}

/// What pages of other origins may read: public documents and answers to credentials they hold themselves. No cookie
/// is involved, and the consent page is not among it.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers([header::CONTENT_TYPE, HeaderName::from_static("mcp-protocol-version")])
        .expose_headers([header::RETRY_AFTER])
        .max_age(Duration::from_hours(1))
}

async fn admit_host(State(broker): State<Broker>, request: Request<Body>, next: Next) -> Response {
    let issuer = &broker.settings().issuer;
    let mut response = if asks_for(&request, issuer.authority()) {
        next.run(request).await
    } else {
        broker.refuse(Refusal::Host, None);
        answer::misdirected(issuer.as_str())
    };
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Whether the request line and the `Host` header, as far as present, name `authority`; one of them must.
fn asks_for(request: &Request<Body>, authority: &str) -> bool {
    let own = |host: &str| host.eq_ignore_ascii_case(authority);
    let target = request.uri().authority().map(|target| own(target.as_str()));
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let header = hosts.next().map(|host| host.to_str().is_ok_and(own));
    hosts.next().is_none() && target.or(header).is_some() && target.unwrap_or(true) && header.unwrap_or(true)
}

async fn metadata(State(broker): State<Broker>) -> Response {
    answer::document(&Metadata::of(broker.settings()), DOCUMENT_MAX_AGE)
}

async fn jwks(State(broker): State<Broker>) -> Response {
    answer::document(&broker.keys().published(broker.now()), DOCUMENT_MAX_AGE)
}

async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")];
    (headers, page::STYLE).into_response()
}

async fn register_client(State(broker): State<Broker>, headers: HeaderMap, body: ReadBody) -> Response {
    let result = match body {
        Ok(body) => register::register(&broker, &headers, &body).await,
        Err(_) => Err(RegisterError::TooLong),
    };
    match result {
        Ok(registered) => answer::uncached((StatusCode::CREATED, axum::Json(registered)).into_response()),
        Err(refusal) => {
            let response = answer::registration_refused(&refusal);
            broker.refuse(Refusal::Registration(refusal), None);
            response
        }
    }
}

async fn show_consent(State(broker): State<Broker>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    match authorize::show(&broker, &headers, query.as_deref().unwrap_or_default()).await {
        Ok(Shown::Page { page, cookie }) => {
            ([(header::SET_COOKIE, cookie)], answer::consent_page(StatusCode::OK, &page)).into_response()
        }
        Ok(Shown::Refused { redirect, error, client_id }) => {
            broker.refuse(Refusal::Request(error), Some(client_id));
            answer::redirect(&redirect)
        }
        Err(refusal) => {
            broker.refuse(Refusal::Unverified(refusal), None);
            answer::unverified(refusal, broker.style_path())
        }
    }
}

async fn decide_consent(State(broker): State<Broker>, headers: HeaderMap, body: ReadBody) -> Response {
    let result = match body {
        Ok(body) => authorize::decide(&broker, &headers, &body).await,
        Err(_) => Err(DecisionError::Parameters(ParametersError::TooLong)),
    };
    match result {
        Ok(Decided::Redirect { redirect, refused }) => {
            if let Some((error, client_id)) = refused {
                broker.refuse(Refusal::Request(error), Some(client_id));
            }
            answer::redirect(&redirect)
        }
        Ok(Decided::Again { page }) => answer::consent_page(StatusCode::UNPROCESSABLE_ENTITY, &page),
        Err(refusal) => {
            broker.refuse(Refusal::Decision(refusal), None);
            answer::decision_refused(refusal, broker.style_path())
        }
    }
}

async fn exchange_token(State(broker): State<Broker>, headers: HeaderMap, body: ReadBody) -> Response {
    let result = if let Ok(body) = body {
        token::exchange(&broker, &headers, &body).await
    } else {
        let error = TokenError::Parameters(ParametersError::TooLong);
        Err(token::Refused { error, client_id: None })
    };
    match result {
        Ok(tokens) => answer::uncached(axum::Json(tokens).into_response()),
        Err(token::Refused { error, client_id }) => {
            broker.refuse(Refusal::Token(error), client_id);
            answer::token_refused(error)
        }
    }
}
