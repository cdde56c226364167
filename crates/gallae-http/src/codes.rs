//! The stable codes of errors that any application on Gallae can answer with. Each has a page in `docs/errors`.

use axum::http::StatusCode;

/// A code with what is always true of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// SCREAMING_SNAKE; never changes once released.
    pub code: &'static str,
    /// The status it is answered with, unless a rejection says otherwise.
    pub status: StatusCode,
    /// In English.
    pub title: &'static str,
    /// In Korean.
    pub title_ko: &'static str,
}

macro_rules! codes {
    ($($name:ident $code:literal, $status:ident, $title:literal, $title_ko:literal;)+) => {
        $(
            #[doc = $title]
            pub const $name: ErrorCode = ErrorCode {
                code: $code,
                status: StatusCode::$status,
                title: $title,
                title_ko: $title_ko,
            };
        )+

        /// Every code of this crate.
        pub const ALL: &[ErrorCode] = &[$($name,)+];
    };
}

codes! {
    MALFORMED_JSON "MALFORMED_JSON", BAD_REQUEST, "The body is not valid JSON", "본문이 올바른 JSON이 아닙니다";
    INVALID_BODY "INVALID_BODY", BAD_REQUEST, "The body does not have the expected shape", "본문의 형식이 맞지 않습니다";
    INVALID_PARAMETER "INVALID_PARAMETER", BAD_REQUEST, "A parameter cannot be understood", "매개변수를 해석할 수 없습니다";
    INVALID_HEADER "INVALID_HEADER", BAD_REQUEST, "A header cannot be understood", "헤더를 해석할 수 없습니다";
    INVALID_TOKEN_POSITION "INVALID_TOKEN_POSITION", BAD_REQUEST, "The position asked for does not exist yet", "요청한 위치가 아직 존재하지 않습니다";
    UNAUTHENTICATED "UNAUTHENTICATED", UNAUTHORIZED, "A valid access token is needed", "유효한 접근 토큰이 필요합니다";
    TOKEN_EXPIRED "TOKEN_EXPIRED", UNAUTHORIZED, "The access token has expired", "접근 토큰이 만료되었습니다";
    FORBIDDEN "FORBIDDEN", FORBIDDEN, "This is not allowed for you", "권한이 없습니다";
    NOT_FOUND "NOT_FOUND", NOT_FOUND, "There is nothing here", "찾을 수 없습니다";
    METHOD_NOT_ALLOWED "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED, "This method is not supported here", "지원하지 않는 메서드입니다";
    CONFLICT "CONFLICT", CONFLICT, "Somebody else changed this at the same time", "동시에 다른 변경이 있었습니다";
    CLAIM_TAKEN "CLAIM_TAKEN", CONFLICT, "This is already taken", "이미 사용 중입니다";
    IDEMPOTENCY_IN_FLIGHT "IDEMPOTENCY_IN_FLIGHT", CONFLICT, "The same request is still being processed", "같은 요청이 아직 처리 중입니다";
    PRECONDITION_FAILED "PRECONDITION_FAILED", PRECONDITION_FAILED, "It has changed since you read it", "읽은 뒤에 변경되었습니다";
    PAYLOAD_TOO_LARGE "PAYLOAD_TOO_LARGE", PAYLOAD_TOO_LARGE, "The request is too large", "요청이 너무 큽니다";
    UNSUPPORTED_MEDIA_TYPE "UNSUPPORTED_MEDIA_TYPE", UNSUPPORTED_MEDIA_TYPE, "Send JSON", "JSON으로 보내야 합니다";
    IDEMPOTENCY_KEY_REUSED "IDEMPOTENCY_KEY_REUSED", UNPROCESSABLE_ENTITY, "The idempotency key belongs to another request", "멱등 키가 다른 요청에 사용되었습니다";
    RATE_LIMITED "RATE_LIMITED", TOO_MANY_REQUESTS, "Too many requests", "요청이 너무 많습니다";
    INTERNAL "INTERNAL", INTERNAL_SERVER_ERROR, "Something is wrong on our side", "서버 내부 오류입니다";
    STORE_UNAVAILABLE "STORE_UNAVAILABLE", SERVICE_UNAVAILABLE, "The store is unavailable; nothing was written", "저장소를 사용할 수 없습니다. 기록된 것은 없습니다";
    OUTCOME_UNKNOWN "OUTCOME_UNKNOWN", SERVICE_UNAVAILABLE, "The outcome is unknown; repeat with the same key", "결과를 알 수 없습니다. 같은 키로 다시 보내십시오";
    VIEW_BEHIND "VIEW_BEHIND", SERVICE_UNAVAILABLE, "The view has not caught up in time", "조회 모델이 아직 따라오지 못했습니다";
    SHUTTING_DOWN "SHUTTING_DOWN", SERVICE_UNAVAILABLE, "This node is shutting down", "이 노드는 종료 중입니다";
    REQUEST_TIMEOUT "REQUEST_TIMEOUT", SERVICE_UNAVAILABLE, "The request took too long", "요청 처리 시간이 초과되었습니다";
    OVERLOADED "OVERLOADED", SERVICE_UNAVAILABLE, "This node has too much to do", "이 노드의 부하가 너무 높습니다";
    BROKER_UNAVAILABLE "BROKER_UNAVAILABLE", SERVICE_UNAVAILABLE, "The broker does not answer", "브로커가 응답하지 않습니다";
    UNDECODABLE_STREAM "UNDECODABLE_STREAM", INTERNAL_SERVER_ERROR, "This stream cannot be understood by this release", "이 릴리스가 해석할 수 없는 스트림입니다";
    PROJECTION_BUSY "PROJECTION_BUSY", CONFLICT, "An operation on this projection is running", "이 프로젝션에서 다른 작업이 실행 중입니다";
    PROJECTION_ELSEWHERE "PROJECTION_ELSEWHERE", CONFLICT, "Another node runs this projection", "다른 노드가 이 프로젝션을 실행합니다";
    PROJECTION_PAUSED "PROJECTION_PAUSED", CONFLICT, "This projection is paused", "이 프로젝션은 일시 중지되어 있습니다";
    PROJECTION_BROKEN "PROJECTION_BROKEN", CONFLICT, "This projection needs mending first", "이 프로젝션을 먼저 고쳐야 합니다";
    OPERATION_CANCELLED "OPERATION_CANCELLED", CONFLICT, "The operation was cancelled", "작업이 취소되었습니다";
    NOTHING_PARKED "NOTHING_PARKED", CONFLICT, "No event is parked under this key", "이 키에 보관된 이벤트가 없습니다";
    SAGA_ENDED "SAGA_ENDED", CONFLICT, "This saga has ended", "이 사가는 이미 끝났습니다";
    SAGA_PAST_PIVOT "SAGA_PAST_PIVOT", CONFLICT, "This saga can only go forward", "이 사가는 되돌릴 수 있는 지점을 지났습니다";
    SAGA_STATE_REFUSES "SAGA_STATE_REFUSES", CONFLICT, "The state of this saga does not allow it", "이 사가의 상태에서는 할 수 없습니다";
    SAGA_UNRUNNABLE "SAGA_UNRUNNABLE", CONFLICT, "This release cannot run this saga", "이 릴리스가 실행할 수 없는 사가입니다";
}
