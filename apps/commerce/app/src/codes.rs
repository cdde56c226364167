//! The stable codes of errors that the shop answers with, beside those of [`gallae_http::codes`]. Each has a page in
//! `docs/errors`.

use axum::http::StatusCode;
use gallae_http::ErrorCode;
use gallae_server::errors::ErrorPage;

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

        /// Every code of the shop.
        pub const ALL: &[ErrorCode] = &[$($name,)+];
    };
}

codes! {
    // Users.
    INVALID_CREDENTIALS "INVALID_CREDENTIALS", UNAUTHORIZED, "The address or the password is wrong", "이메일 또는 비밀번호가 올바르지 않습니다";
    INVALID_REFRESH_TOKEN "INVALID_REFRESH_TOKEN", UNAUTHORIZED, "The refresh token is not valid", "갱신 토큰이 유효하지 않습니다";
    LOGIN_LOCKED "LOGIN_LOCKED", TOO_MANY_REQUESTS, "Too many wrong passwords", "비밀번호를 여러 번 틀려 잠시 잠겼습니다";
    EMAIL_TAKEN "EMAIL_TAKEN", CONFLICT, "Somebody has registered with this address", "이미 가입된 이메일입니다";
    INVALID_EMAIL "INVALID_EMAIL", UNPROCESSABLE_ENTITY, "This is not an e-mail address", "이메일 주소 형식이 아닙니다";
    INVALID_PASSWORD "INVALID_PASSWORD", UNPROCESSABLE_ENTITY, "The password is too short or too long", "비밀번호 길이가 맞지 않습니다";
    INVALID_NAME "INVALID_NAME", UNPROCESSABLE_ENTITY, "A name is missing or too long", "이름이 없거나 너무 깁니다";
    USER_NOT_FOUND "USER_NOT_FOUND", NOT_FOUND, "There is no such user", "사용자를 찾을 수 없습니다";
    USER_ALREADY_REGISTERED "USER_ALREADY_REGISTERED", CONFLICT, "This user is registered with other details", "다른 정보로 이미 가입된 사용자입니다";
    // Books and stock.
    BOOK_NOT_FOUND "BOOK_NOT_FOUND", NOT_FOUND, "There is no such book", "도서를 찾을 수 없습니다";
    BOOK_ALREADY_EXISTS "BOOK_ALREADY_EXISTS", CONFLICT, "Another book has this id", "같은 번호의 다른 도서가 있습니다";
    BOOK_DELETED "BOOK_DELETED", CONFLICT, "This book was deleted", "삭제된 도서입니다";
    INVALID_BOOK "INVALID_BOOK", UNPROCESSABLE_ENTITY, "A detail of the book is not acceptable", "도서 정보가 올바르지 않습니다";
    INSUFFICIENT_STOCK "INSUFFICIENT_STOCK", CONFLICT, "There are not enough copies", "재고가 부족합니다";
    INVALID_QUANTITY "INVALID_QUANTITY", UNPROCESSABLE_ENTITY, "A quantity of at least one is required", "수량은 1 이상이어야 합니다";
    RESERVATION_RELEASED "RESERVATION_RELEASED", CONFLICT, "The reservation was released", "예약된 재고가 이미 해제되었습니다";
    RESERVATION_EXPIRED "RESERVATION_EXPIRED", CONFLICT, "The reservation has expired", "재고 예약 시간이 지났습니다";
    NOT_RESERVED "NOT_RESERVED", CONFLICT, "Nothing is reserved for this order", "이 주문에 예약된 재고가 없습니다";
    NOT_SOLD "NOT_SOLD", CONFLICT, "More came back than was sold", "판매한 수량보다 많이 반품되었습니다";
    // Orders.
    ORDER_NOT_FOUND "ORDER_NOT_FOUND", NOT_FOUND, "There is no such order", "주문을 찾을 수 없습니다";
    ORDER_ALREADY_EXISTS "ORDER_ALREADY_EXISTS", CONFLICT, "This order exists with other content", "같은 번호의 다른 주문이 있습니다";
    DUPLICATE_ORDER "DUPLICATE_ORDER", CONFLICT, "You have just ordered the same products", "같은 상품을 방금 주문했습니다";
    INVALID_CONFIRM_TOKEN "INVALID_CONFIRM_TOKEN", UNPROCESSABLE_ENTITY, "The confirm token does not fit this order", "확인 토큰이 이 주문과 맞지 않습니다";
    EMPTY_ORDER "EMPTY_ORDER", UNPROCESSABLE_ENTITY, "An order needs at least one item", "주문 상품이 없습니다";
    TOO_MANY_ITEMS "TOO_MANY_ITEMS", UNPROCESSABLE_ENTITY, "An order has at most a hundred items", "주문 상품은 100개까지입니다";
    INVALID_ITEM "INVALID_ITEM", UNPROCESSABLE_ENTITY, "An item is not acceptable", "주문 상품이 올바르지 않습니다";
    INVALID_ADDRESS "INVALID_ADDRESS", UNPROCESSABLE_ENTITY, "The shipping address is not acceptable", "배송 주소가 올바르지 않습니다";
    MIXED_CURRENCIES "MIXED_CURRENCIES", UNPROCESSABLE_ENTITY, "An order has one currency", "한 주문에는 한 통화만 쓸 수 있습니다";
    TOTAL_TOO_LARGE "TOTAL_TOO_LARGE", UNPROCESSABLE_ENTITY, "The total is too large", "주문 금액이 너무 큽니다";
    UNKNOWN_PRODUCT "UNKNOWN_PRODUCT", UNPROCESSABLE_ENTITY, "A product is not in the catalogue", "카탈로그에 없는 상품입니다";
    PRICE_CHANGED "PRICE_CHANGED", CONFLICT, "A price has changed", "가격이 변경되었습니다";
    WRONG_ORDER_STATUS "WRONG_ORDER_STATUS", CONFLICT, "The order does not stand where it would have to", "주문 상태가 맞지 않습니다";
    INVALID_TRACKING_NUMBER "INVALID_TRACKING_NUMBER", UNPROCESSABLE_ENTITY, "A tracking number is required", "운송장 번호가 필요합니다";
    CHECKOUT_UNAVAILABLE "CHECKOUT_UNAVAILABLE", SERVICE_UNAVAILABLE, "Checkouts are not running at the moment", "지금은 주문 처리가 멈춰 있습니다";
    CHECKOUT_HELD "CHECKOUT_HELD", CONFLICT, "The checkout is held and cannot do this now", "주문 처리가 보류되어 지금은 할 수 없습니다";
    // Payments and refunds.
    PAYMENT_MISMATCH "PAYMENT_MISMATCH", UNPROCESSABLE_ENTITY, "The payment does not belong to this order", "이 주문의 결제가 아닙니다";
    PAYMENT_NOT_AUTHORIZED "PAYMENT_NOT_AUTHORIZED", CONFLICT, "The payment is not authorised", "결제가 승인되지 않았습니다";
    AUTHORIZATION_EXPIRED "AUTHORIZATION_EXPIRED", CONFLICT, "The authorisation of the payment has expired", "결제 승인 시간이 지났습니다";
    PAYMENT_NOT_CAPTURED "PAYMENT_NOT_CAPTURED", CONFLICT, "The money has not been taken yet", "아직 결제가 완료되지 않았습니다";
    WRONG_PAYMENT_STATUS "WRONG_PAYMENT_STATUS", CONFLICT, "The payment does not stand where it would have to", "결제 상태가 맞지 않습니다";
    CAPTURE_TOO_LARGE "CAPTURE_TOO_LARGE", CONFLICT, "More was taken than was authorised", "승인 금액보다 많이 결제되었습니다";
    REFUND_PENDING "REFUND_PENDING", CONFLICT, "All of the order is being paid back", "전액 환불이 진행 중입니다";
    UNKNOWN_REFUND "UNKNOWN_REFUND", CONFLICT, "The order has no such refund", "해당 환불을 찾을 수 없습니다";
    REFUND_SETTLED "REFUND_SETTLED", CONFLICT, "The refund has ended already", "이미 끝난 환불입니다";
    INVALID_REFUND "INVALID_REFUND", UNPROCESSABLE_ENTITY, "The refund is not acceptable", "환불 요청이 올바르지 않습니다";
    REFUND_TOO_LARGE "REFUND_TOO_LARGE", CONFLICT, "More than what is left cannot be paid back", "환불 가능 금액을 넘었습니다";
    RETURN_TOO_LARGE "RETURN_TOO_LARGE", CONFLICT, "More pieces than what is left cannot come back", "반품 가능 수량을 넘었습니다";
    REFUND_RELEASED "REFUND_RELEASED", CONFLICT, "The refund was given up", "취소된 환불입니다";
    REFUND_NOT_RESERVED "REFUND_NOT_RESERVED", CONFLICT, "The refund was never reserved", "예약되지 않은 환불입니다";
    REFUND_PAID "REFUND_PAID", CONFLICT, "The refund was paid already", "이미 지급된 환불입니다";
}

/// The page of each code of the shop.
pub const PAGES: &[ErrorPage] = gallae_server::error_pages!("/../../../docs/errors/":
    AUTHORIZATION_EXPIRED, BOOK_ALREADY_EXISTS, BOOK_DELETED, BOOK_NOT_FOUND, CAPTURE_TOO_LARGE,
    CHECKOUT_HELD, CHECKOUT_UNAVAILABLE, DUPLICATE_ORDER, EMAIL_TAKEN, EMPTY_ORDER, INSUFFICIENT_STOCK,
    INVALID_ADDRESS, INVALID_BOOK, INVALID_CONFIRM_TOKEN, INVALID_CREDENTIALS, INVALID_EMAIL, INVALID_ITEM,
    INVALID_NAME, INVALID_PASSWORD, INVALID_QUANTITY, INVALID_REFRESH_TOKEN, INVALID_REFUND,
    INVALID_TRACKING_NUMBER, LOGIN_LOCKED, MIXED_CURRENCIES, NOT_RESERVED, NOT_SOLD, ORDER_ALREADY_EXISTS,
    ORDER_NOT_FOUND, PAYMENT_MISMATCH, PAYMENT_NOT_AUTHORIZED, PAYMENT_NOT_CAPTURED, PRICE_CHANGED,
    REFUND_NOT_RESERVED, REFUND_PAID, REFUND_PENDING, REFUND_RELEASED, REFUND_SETTLED, REFUND_TOO_LARGE,
    RESERVATION_EXPIRED, RESERVATION_RELEASED, RETURN_TOO_LARGE, TOO_MANY_ITEMS, TOTAL_TOO_LARGE,
    UNKNOWN_PRODUCT, UNKNOWN_REFUND, USER_ALREADY_REGISTERED, USER_NOT_FOUND, WRONG_ORDER_STATUS,
    WRONG_PAYMENT_STATUS,
);
