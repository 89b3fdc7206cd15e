/*
 * The device shadow engine, for C99 and later, and C++.
 *
 * A device's half of its shadows as a state machine: it opens no socket, reads no clock, starts no
 * thread, calls nobody back and has no global state. The program passes in what happens and carries
 * out what comes out:
 *
 *     shadow_config_init, shadow_new, shadow_handle_wall_time
 *     for (;;) {
 *         while (shadow_poll_transmit(..) == SHADOW_OK)    connect, send or close
 *         if (shadow_poll_event(..) == SHADOW_OK)          react to it, and begin again
 *             continue;
 *         wait for bytes, or for shadow_poll_deadline      shadow_handle_bytes, shadow_handle_tick
 *     }
 *     shadow_close, poll until SHADOW_EVENT_CLOSED, shadow_free
 *
 * Rules
 *
 * 1. An engine is valid from shadow_new to shadow_free. An engine that is NULL is refused, or of no
 *    effect; one that was freed must not be used.
 * 2. Every other pointer is NULL, where the function says so or refuses it, or is valid for the
 *    length of the call. Texts end with a NUL. Bytes have the length that is given with them; NULL
 *    goes with length 0. What is passed in is copied: it is yours again when the call returns.
 * 3. Threads: an engine is used by one thread at a time, which may be another one each time. Engines
 *    know nothing of each other. Functions without an engine may be called by any thread.
 * 4. What is lent is the library's: read it, do not free it, copy what is to last longer.
 *
 *     what                                   whose            until
 *     engine of shadow_new                   yours            shadow_free
 *     shadow_transmit.bytes                  the engine's     the next shadow_poll_transmit
 *     texts and payload of a shadow_event    the engine's     the next shadow_poll_event
 *     bytes of shadow_session                the engine's     the next shadow_session
 *     text of shadow_reported                the engine's     the next shadow_reported
 *     text of shadow_last_error              the engine's     the next call that is refused
 *     shadow_version, shadow_result_text     the library's    for ever
 *     value of shadow_json_member            a part of the text that was passed in
 *     error of shadow_new                    the buffer is yours
 *
 *    All that is an engine's ends with shadow_free at the latest.
 * 5. A bug in the library does not get out of it: the call returns SHADOW_PANICKED, as does every
 *    later one with that engine; free it. (A library that was built with panic=abort ends the
 *    program instead. So does a lack of memory.)
 *
 * A library can be built without parts of it, to be smaller: see "Features" in its README. Functions
 * that it was built without are declared here all the same, and not found by the linker.
 *
 * Times are in microseconds: `now` on a clock that does not go back, of an epoch of your choice.
 * Text is UTF-8. Numbers whose type is an enum of this header are of a fixed size everywhere.
 *
 * Made by cbindgen from the library's source; see shadow-core-c/README.md.
 */


#ifndef SHADOW_CORE_H
#define SHADOW_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The version of this header; that of the library is `shadow_version`.
 */
#define SHADOW_VERSION "0.1.0"

/**
 * The device's own shadow, where a function asks which shadow. Others come from `shadow_attach`.
 */
#define SHADOW_OWN 0

/**
 * No request: what a function that refuses writes where it would have written the request's id.
 */
#define SHADOW_NO_REQUEST 18446744073709551615ull

/**
 * What a function says. Negative is a refusal: then nothing has changed and no event follows.
 *
 * `shadow_last_error` has the words, of functions with an engine. Those of `shadow_new` are in its
 * `error`. Of `shadow_config_init`, of `shadow_json_member` and its like, and where the engine is
 * NULL, there is this number alone.
 */
enum shadow_result
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Done; what was asked for has been written.
     */
    SHADOW_OK = 0,
    /**
     * There is nothing: no more to poll, no deadline, no such member, nothing to answer. What would
     * have been written is zero or empty.
     */
    SHADOW_EMPTY = 1,
    /**
     * A pointer that has to be given is NULL.
     */
    SHADOW_NULL_ARGUMENT = -1,
    /**
     * A number is not one of those that are allowed, or a length is more than half of the memory.
     */
    SHADOW_INVALID_ARGUMENT = -2,
    /**
     * A text is not UTF-8.
     */
    SHADOW_NOT_UTF8 = -3,
    /**
     * A text is not JSON, or not the kind of value that is asked for, or a number that does not fit.
     */
    SHADOW_INVALID_JSON = -4,
    /**
     * The buffer has no room for the whole text; nothing but a NUL was written to it.
     */
    SHADOW_BUFFER_TOO_SMALL = -5,
    /**
     * Product id, device name, secret or `device_info` is not usable.
     */
    SHADOW_INVALID_DEVICE = -6,
    /**
     * The configuration asks for what the server does not take.
     */
    SHADOW_INVALID_CONFIG = -7,
    /**
     * The stored session cannot be read, or is that of another device.
     */
    SHADOW_INVALID_SESSION = -8,
    /**
     * The configuration asks for what this library was built without.
     */
    SHADOW_NOT_BUILT_IN = -9,
    /**
     * `shadow_close` was called before.
     */
    SHADOW_CLOSED = -10,
    /**
     * No attached shadow has that id.
     */
    SHADOW_UNKNOWN_SHADOW = -11,
    /**
     * The shadow is attached already.
     */
    SHADOW_ALREADY_ATTACHED = -12,
    /**
     * No open request has that id: it has ended.
     */
    SHADOW_UNKNOWN_REQUEST = -13,
    /**
     * As many requests are open as `maximum_requests` says. Try again when one has ended.
     */
    SHADOW_TOO_MANY_REQUESTS = -14,
    /**
     * As many bytes wait as `maximum_queued_bytes` says. Try again when some have left.
     */
    SHADOW_QUEUE_FULL = -15,
    /**
     * As many shadows and subscriptions exist as `maximum_subscriptions` says.
     */
    SHADOW_TOO_MANY_SUBSCRIPTIONS = -16,
    /**
     * Larger or deeper than the server takes.
     */
    SHADOW_LIMIT_EXCEEDED = -17,
    /**
     * The text is no topic name, or no topic filter.
     */
    SHADOW_INVALID_TOPIC = -18,
    /**
     * The topic is an attached shadow's: use the requests for shadows.
     */
    SHADOW_SHADOW_TOPIC = -19,
    /**
     * The update names no part, or a part that is no JSON object.
     */
    SHADOW_INVALID_UPDATE = -20,
    /**
     * Refused for another reason, which `shadow_last_error` tells.
     */
    SHADOW_REFUSED = -21,
    /**
     * The library has a bug, and met it in this call or an earlier one. The engine does nothing any
     * more: free it, and report the bug.
     */
    SHADOW_PANICKED = -100,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum shadow_result shadow_result;
#else
typedef int32_t shadow_result;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What to do on the transport.
 */
enum shadow_transmit_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Nothing: there was nothing to poll.
     */
    SHADOW_TRANSMIT_NONE = 0,
    /**
     * Open a connection, then call `shadow_handle_connected`, or `shadow_handle_disconnected` if
     * that fails.
     */
    SHADOW_TRANSMIT_CONNECT = 1,
    /**
     * Send `bytes`, all of them, on the connection.
     */
    SHADOW_TRANSMIT_SEND = 2,
    /**
     * Close the connection, after what was sent before; or stop connecting. Do not answer with
     * `shadow_handle_disconnected`.
     */
    SHADOW_TRANSMIT_CLOSE = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum shadow_transmit_kind shadow_transmit_kind;
#else
typedef uint32_t shadow_transmit_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What an event is.
 */
enum shadow_event_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * None: there was nothing to poll.
     */
    SHADOW_EVENT_NONE = 0,
    /**
     * The server accepted the login. `session_present`.
     */
    SHADOW_EVENT_CONNECTED = 1,
    /**
     * There is no link any more, or it did not come about. `cause`, `text` in words,
     * `retry_in_micros`; `code`: the server's return code if it refused the login.
     */
    SHADOW_EVENT_DISCONNECTED = 2,
    /**
     * `shadow_close` was carried out; nothing follows.
     */
    SHADOW_EVENT_CLOSED = 3,
    /**
     * The login needs the wall time: the engine does not connect before
     * `shadow_handle_wall_time`.
     */
    SHADOW_EVENT_WALL_TIME_NEEDED = 4,
    /**
     * A shadow's topic is subscribed. `shadow`.
     */
    SHADOW_EVENT_SHADOW_SUBSCRIBED = 5,
    /**
     * The server refused the subscription of a shadow's topic. `shadow`.
     */
    SHADOW_EVENT_SHADOW_REFUSED = 6,
    /**
     * The device is in step with its shadow: every change of what is desired that was made before
     * and not answered has been told. `shadow`, and the document.
     */
    SHADOW_EVENT_READY = 7,
    /**
     * The get before that was rejected; it is sent again. `shadow`, `code`, and the document.
     */
    SHADOW_EVENT_GET_REJECTED = 8,
    /**
     * What is desired has changed: answer `delta` with `shadow_accept` or `shadow_reject`; what is
     * not answered comes again on each new link. `shadow`, `delta`, `version`, `fetched`,
     * `redelivered`.
     */
    SHADOW_EVENT_DELTA = 9,
    /**
     * A request has ended, as each does exactly once. `request`, `outcome`, and what the outcome
     * says.
     */
    SHADOW_EVENT_ENDED = 10,
    /**
     * A message on a topic that is no attached shadow's. `topic`, `payload`, `qos`, `retain`,
     * `duplicate`.
     */
    SHADOW_EVENT_MESSAGE = 11,
    /**
     * A reply that answers no open request. `shadow`, `code`, the document; `text` is why: "late",
     * "duplicate", "foreign" or "tokenless".
     */
    SHADOW_EVENT_UNMATCHED = 12,
    /**
     * A message on a shadow's topic that is no shadow message. `shadow`, `text` says what is wrong,
     * `count` is its size in bytes.
     */
    SHADOW_EVENT_INVALID_MESSAGE = 13,
    /**
     * A message above `maximum_packet_size` went by unread. `topic`, `qos`, `count` is its size in
     * bytes.
     */
    SHADOW_EVENT_OVERSIZED_MESSAGE = 14,
    /**
     * The server does not renew a subscription; it is given up. `topic` is its filter.
     */
    SHADOW_EVENT_SUBSCRIPTION_LOST = 15,
    /**
     * An acknowledgement for a packet id that awaits none; harmless. `text` is its kind, `code` the
     * packet id.
     */
    SHADOW_EVENT_UNEXPECTED_ACKNOWLEDGEMENT = 16,
    /**
     * Events were dropped, as too many were waiting; never the end of a request. `count`.
     */
    SHADOW_EVENT_EVENTS_LOST = 17,
    /**
     * An event that this version of the library has no number for; `text` is in words.
     */
    SHADOW_EVENT_OTHER = 18,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum shadow_event_kind shadow_event_kind;
#else
typedef uint32_t shadow_event_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How a request ended.
 */
enum shadow_outcome
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * None: the event is not the end of a request.
     */
    SHADOW_OUTCOME_NONE = 0,
    /**
     * A get or update was answered with result 0. The document.
     */
    SHADOW_OUTCOME_ACCEPTED = 1,
    /**
     * A get or update was answered with another result: 5005 is a version conflict, and the
     * document the whole current one. `code`, and the document.
     */
    SHADOW_OUTCOME_REJECTED = 2,
    /**
     * The cloud has everything that was reported or accepted under this request. `version`.
     */
    SHADOW_OUTCOME_REPORTED = 3,
    /**
     * What was rejected is desired no longer. `text` is the reason that was given.
     */
    SHADOW_OUTCOME_DELTA_REJECTED = 4,
    /**
     * A message was published: handed over for QoS 0, acknowledged for QoS 1 and 2.
     */
    SHADOW_OUTCOME_PUBLISHED = 5,
    /**
     * A topic was subscribed. `qos` is what the server grants.
     */
    SHADOW_OUTCOME_SUBSCRIBED = 6,
    /**
     * A topic was unsubscribed.
     */
    SHADOW_OUTCOME_UNSUBSCRIBED = 7,
    /**
     * The server refused a subscription, or that of the shadow asked.
     */
    SHADOW_OUTCOME_SUBSCRIPTION_REFUSED = 8,
    /**
     * No answer in time. The cloud may have applied it all the same.
     */
    SHADOW_OUTCOME_TIMED_OUT = 9,
    /**
     * The link was lost before the answer. `maybe_applied`.
     */
    SHADOW_OUTCOME_DISCONNECTED = 10,
    /**
     * The program cancelled it, detached its shadow or closed the engine.
     */
    SHADOW_OUTCOME_CANCELLED = 11,
    /**
     * An outcome that this version of the library has no number for; `text` is in words.
     */
    SHADOW_OUTCOME_OTHER = 12,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum shadow_outcome shadow_outcome;
#else
typedef uint32_t shadow_outcome;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Why there is no link.
 */
enum shadow_cause
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * None: the event is not the end of a link.
     */
    SHADOW_CAUSE_NONE = 0,
    /**
     * The transport said so.
     */
    SHADOW_CAUSE_TRANSPORT = 1,
    /**
     * The transport said so, soon after login, several times in a row: another client probably
     * uses the same client id. `count` is how many times.
     */
    SHADOW_CAUSE_CONTESTED = 2,
    /**
     * The server refused the login. `code` is its return code.
     */
    SHADOW_CAUSE_REFUSED = 3,
    /**
     * No answer to the login in time.
     */
    SHADOW_CAUSE_CONNECT_TIMED_OUT = 4,
    /**
     * No answer to a ping in time.
     */
    SHADOW_CAUSE_PING_TIMED_OUT = 5,
    /**
     * No answer to a subscription in time.
     */
    SHADOW_CAUSE_SUBSCRIBE_TIMED_OUT = 6,
    /**
     * The server does not acknowledge messages.
     */
    SHADOW_CAUSE_PUBLISH_UNACKNOWLEDGED = 7,
    /**
     * The server does not read its acknowledgements.
     */
    SHADOW_CAUSE_ACKNOWLEDGEMENTS_UNREAD = 8,
    /**
     * The configuration does not fit into a login.
     */
    SHADOW_CAUSE_INVALID_CONNECT = 9,
    /**
     * The configuration asks for what the server does not take.
     */
    SHADOW_CAUSE_LIMIT_EXCEEDED = 10,
    /**
     * The server sent what is not MQTT.
     */
    SHADOW_CAUSE_MALFORMED = 11,
    /**
     * The server sent what has no place there.
     */
    SHADOW_CAUSE_VIOLATION = 12,
    /**
     * A cause that this version of the library has no number for.
     */
    SHADOW_CAUSE_OTHER = 13,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum shadow_cause shadow_cause;
#else
typedef uint32_t shadow_cause;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Why the transport has no connection; for `shadow_handle_disconnected`.
 */
enum shadow_failure
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It did not come about.
     */
    SHADOW_CONNECT_FAILED = 0,
    /**
     * The peer could not prove who it is, as by its certificate.
     */
    SHADOW_UNTRUSTED = 1,
    /**
     * The peer closed it in order; the text is not looked at.
     */
    SHADOW_CLOSED_BY_PEER = 2,
    /**
     * It broke.
     */
    SHADOW_BROKEN = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum shadow_failure shadow_failure;
#else
typedef uint32_t shadow_failure;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Whether the updates that the engine makes of reports and answers carry the document's version, so
 * that the cloud refuses them with code 5005 when it has changed meanwhile. The version is what keeps
 * an answer from deleting a change of what is desired that is newer than the one it answers.
 * `shadow_update` carries what it was given.
 */
enum shadow_version_policy
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Without a version, as the vendor's SDKs: an answer deletes also a change of its keys that has
     * not arrived yet.
     */
    SHADOW_VERSION_UNCHECKED = 0,
    /**
     * With the version last seen. A conflict ends the reports as `SHADOW_OUTCOME_REJECTED` with code
     * 5005 and the whole document. The values stay; they go out again with the next report or answer,
     * or on the next link.
     */
    SHADOW_VERSION_STRICT = 1,
    /**
     * With the version last seen. After a conflict the document that came with it is taken over, newer
     * changes of what is desired are told, and the update is made anew at the new version. After
     * `version_tries` conflicts in a row what is reported goes out without a version, as it is the
     * device's alone, and deleting what is desired waits for a later update, at most
     * `request_timeout_micros`.
     */
    SHADOW_VERSION_REBASE = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum shadow_version_policy shadow_version_policy;
#else
typedef uint32_t shadow_version_policy;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A device's half of its shadows; see `shadow_new`.
 */
typedef struct shadow_engine shadow_engine;

/**
 * Everything an engine is told at its start. Call `shadow_config_init`, then say who the device is
 * and change what should be otherwise. `shadow_new` copies what it needs of it.
 */
typedef struct shadow_config {
    /**
     * Text of a `device_info.json`, as the vendor's SDKs read it; or NULL, and the next three. Takes the
     * library's feature `device-info`.
     */
    const char *device_info;
    /**
     * The product's id.
     */
    const char *product_id;
    /**
     * The device's name.
     */
    const char *device_name;
    /**
     * The device's secret as the vendor's console shows it, in base64. Yours to overwrite once the
     * engine is made.
     */
    const char *device_secret;
    /**
     * What `shadow_session` gave before the last end of the program; NULL, 0 for a new session. Takes
     * the library's feature `session`.
     */
    const uint8_t *session;
    /**
     * Bytes of it.
     */
    size_t session_length;
    /**
     * A number that differs from run to run, as of /dev/urandom: client tokens and the jitter of
     * reconnecting come from it.
     */
    uint64_t seed;
    /**
     * Keep alive of MQTT. Default 60 s.
     */
    uint16_t keep_alive_seconds;
    /**
     * QoS of the shadow's messages, 0 or 1. Default 0; 1 takes the library's feature `messages`.
     */
    uint8_t shadow_qos;
    /**
     * 0 makes a persistent session: the server keeps subscriptions and messages while the device
     * is away, which takes a stored session. Default 1.
     */
    uint8_t clean_session;
    /**
     * 1: the server knows the device by a TLS client certificate, which the program's transport shows.
     * Then `device_secret` is not read, and the login is not signed. A `device_info` says so itself.
     * Default 0.
     */
    uint8_t has_certificate;
    /**
     * How many version conflicts in a row `SHADOW_VERSION_REBASE` puts up with; at least 1. Default 3.
     */
    uint8_t version_tries;
    /**
     * Whether the updates that the engine makes of reports and answers are checked against the
     * document's version: a `shadow_version_policy`. Default `SHADOW_VERSION_REBASE`.
     */
    uint32_t version_policy;
    /**
     * How long the server may take to answer a ping. Default 10 s.
     */
    uint64_t ping_timeout_micros;
    /**
     * How long a connection may take, login included. Default 20 s.
     */
    uint64_t connect_timeout_micros;
    /**
     * How long a request may stay unanswered. Reports and answers have no such time. Default 10 s.
     */
    uint64_t request_timeout_micros;
    /**
     * Wait before the first try to connect again; it doubles from try to try. Default 1 s.
     */
    uint64_t backoff_initial_micros;
    /**
     * Longest wait before a try to connect again. Default 60 s.
     */
    uint64_t backoff_maximum_micros;
    /**
     * Least time from one login to the next. Default 5 s, which the vendor's server asks for.
     */
    uint64_t backoff_least_interval_micros;
    /**
     * Largest inbound packet in bytes; a larger message is skipped and told. Default 131072.
     */
    size_t maximum_packet_size;
    /**
     * How many requests may be open. Default 64.
     */
    size_t maximum_requests;
    /**
     * How many bytes may wait to be sent. Default 65536.
     */
    size_t maximum_queued_bytes;
    /**
     * How many messages of QoS 1 and 2 may be unacknowledged. Default 16.
     */
    size_t maximum_in_flight;
    /**
     * How many events may wait to be polled. Default 256.
     */
    size_t maximum_events;
    /**
     * How many bytes the events that wait may hold. Default 262144.
     */
    size_t maximum_event_bytes;
    /**
     * How many shadows and subscriptions may exist. Default 1024.
     */
    size_t maximum_subscriptions;
} shadow_config;

/**
 * Bytes that the library lends. Never NULL, also where there are none.
 */
typedef struct shadow_bytes {
    /**
     * The first of them.
     */
    const uint8_t *data;
    /**
     * How many.
     */
    size_t length;
} shadow_bytes;

/**
 * The next thing to do on the transport.
 */
typedef struct shadow_transmit {
    /**
     * What to do.
     */
    shadow_transmit_kind kind;
    /**
     * What to send: one whole packet. Empty unless `kind` is `SHADOW_TRANSMIT_SEND`. Lent until the
     * next `shadow_poll_transmit`, whatever else is called meanwhile, so a program whose socket
     * takes only a part of it keeps the rest here and polls on when all has left, or when the
     * connection is lost, for which the rest is not meant any more. A login is overwritten with
     * zeros then.
     */
    struct shadow_bytes bytes;
} shadow_transmit;

/**
 * A text that the library lends. Never NULL: where there is none it is empty.
 */
typedef struct shadow_text {
    /**
     * UTF-8, with a NUL behind it.
     */
    const char *data;
    /**
     * Bytes, without the NUL.
     */
    size_t length;
} shadow_text;

/**
 * Something the program should know. What does not belong to its kind is zero or empty. The texts
 * are lent until the next `shadow_poll_event`, whatever else is called meanwhile: copy what is to
 * outlive it.
 *
 * "The document" is what came with a reply: `document`, of it `reported`, `desired` and `delta`, and
 * `version`.
 */
typedef struct shadow_event {
    /**
     * What it is.
     */
    shadow_event_kind kind;
    /**
     * Which shadow.
     */
    uint32_t shadow;
    /**
     * Which request.
     */
    uint64_t request;
    /**
     * How the request ended.
     */
    shadow_outcome outcome;
    /**
     * Why there is no link.
     */
    shadow_cause cause;
    /**
     * A code of the cloud, see `kind`, `outcome` and `cause`.
     */
    int64_t code;
    /**
     * The document's version, if `has_version`.
     */
    uint64_t version;
    /**
     * How many, see `kind` and `cause`.
     */
    uint64_t count;
    /**
     * When the engine tries to connect again, counted from now.
     */
    uint64_t retry_in_micros;
    /**
     * In words, see `kind` and `outcome`. Never holds a secret.
     */
    struct shadow_text text;
    /**
     * A topic, or a topic filter.
     */
    struct shadow_text topic;
    /**
     * A message's payload, with a NUL behind it.
     */
    struct shadow_bytes payload;
    /**
     * A JSON object: what is desired and differs from what is reported. Empty where there is none.
     */
    struct shadow_text delta;
    /**
     * JSON: the shadow as the cloud sent it.
     */
    struct shadow_text document;
    /**
     * JSON: what the cloud holds as reported; "null" or empty where there is none.
     */
    struct shadow_text reported;
    /**
     * JSON: what the cloud holds as desired; "null" or empty where there is none.
     */
    struct shadow_text desired;
    /**
     * QoS of a message, or the one that was granted.
     */
    uint8_t qos;
    /**
     * Whether the document's version was stated.
     */
    bool has_version;
    /**
     * Whether the server had kept this client's session.
     */
    bool session_present;
    /**
     * Whether the delta was found by a get, as after a time without a link; else it was pushed.
     */
    bool fetched;
    /**
     * Whether the program was told of all of the delta before, on an earlier link, and has not
     * answered.
     */
    bool redelivered;
    /**
     * Whether what was cut off had been sent, so that the cloud may have applied it.
     */
    bool maybe_applied;
    /**
     * Whether the server had kept the message from before the subscription.
     */
    bool retain;
    /**
     * Whether the message may have come before.
     */
    bool duplicate;
} shadow_event;

/**
 * What an engine has counted since `shadow_new`, for metrics: see `shadow_counters`.
 *
 * The numbers only grow, over all links, and end with the engine: no session keeps them. What goes on
 * with each message has 64 bits; what is the exception has 32, and stops at the largest value.
 *
 * Nothing is counted twice under one name, but one thing may count under two: a request whose link
 * timed out is a link that timed out and a request that was disconnected. Events count when they come
 * about, whether they are polled or lost.
 */
typedef struct shadow_counts {
    /**
     * MQTT packets of every kind that `shadow_poll_transmit` gave; whether the transport then got rid
     * of them no engine knows. Those that a link took with it before they were polled do not count.
     */
    uint64_t packets_sent;
    /**
     * Bytes of those packets, MQTT headers included; what TLS or TCP adds is not known here.
     */
    uint64_t bytes_sent;
    /**
     * Whole MQTT packets of the server that were taken, of every kind, oversized messages too. Not one
     * that is malformed, nor what came behind the packet that ended its link.
     */
    uint64_t packets_received;
    /**
     * Bytes passed to `shadow_handle_bytes` while there was a connection, whatever they were.
     */
    uint64_t bytes_received;
    /**
     * Connections that were asked for (`SHADOW_TRANSMIT_CONNECT`), whatever became of them. All but the
     * first are retries.
     */
    uint32_t connects;
    /**
     * Connections given up as there was none, or no answer to the login, within
     * `connect_timeout_micros` (`SHADOW_CAUSE_CONNECT_TIMED_OUT`). Those that the transport gave up
     * itself do not count.
     */
    uint32_t connects_timed_out;
    /**
     * Logins that the server accepted (`SHADOW_EVENT_CONNECTED`). The links that were lost are one fewer
     * while `shadow_is_online`, and as many while not.
     */
    uint32_t logins;
    /**
     * Logins that the server refused (`SHADOW_CAUSE_REFUSED`).
     */
    uint32_t logins_refused;
    /**
     * Links given up after their login, as no answer to a ping or a subscription and no acknowledgement
     * of a message came in time (`SHADOW_CAUSE_PING_TIMED_OUT`, `SHADOW_CAUSE_SUBSCRIBE_TIMED_OUT`,
     * `SHADOW_CAUSE_PUBLISH_UNACKNOWLEDGED`).
     */
    uint32_t links_timed_out;
    /**
     * PUBLISH and PUBREL packets of messages of QoS 1 and 2 that were queued on one link and again on a
     * later one, with DUP or, where the server had kept nothing, without.
     */
    uint32_t retransmissions;
    /**
     * Requests that were or will be made again, as the one before brought nothing: gets, subscriptions
     * and their ends that the program asked for, which had left when their link was lost; gets and
     * updates of the engine's own that were not answered in time, gets that were rejected, and updates
     * that met a version conflict and are made anew for the current version. Not what every new link
     * begins with.
     */
    uint32_t requests_repeated;
    /**
     * Requests of the program that ended as `SHADOW_OUTCOME_TIMED_OUT`.
     */
    uint32_t requests_timed_out;
    /**
     * Requests of the program that ended as `SHADOW_OUTCOME_DISCONNECTED`: they were lost with a link, or
     * the answer was.
     */
    uint32_t requests_disconnected;
    /**
     * Messages above `maximum_packet_size`, dropped unread (`SHADOW_EVENT_OVERSIZED_MESSAGE`).
     */
    uint32_t messages_oversized;
    /**
     * Messages on a shadow's topic that were none of a shadow, dropped
     * (`SHADOW_EVENT_INVALID_MESSAGE`).
     */
    uint32_t messages_invalid;
    /**
     * Replies that answered no open request (`SHADOW_EVENT_UNMATCHED`).
     */
    uint32_t messages_unmatched;
    /**
     * Events that were dropped, as the program did not poll (`SHADOW_EVENT_EVENTS_LOST` says how many at a
     * time). Among them may be messages and deltas; deltas are told again.
     */
    uint32_t events_lost;
} shadow_counts;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The library's version, such as "0.1.0". Before 1.0 a header goes with the library of its version
 * alone, so a program that may meet another one, as with a shared library, asks first:
 *
 * ```c
 * if (strcmp(shadow_version(), SHADOW_VERSION) != 0)
 *     return 1;
 * ```
 */
const char *shadow_version(void);

/**
 * What a result means, in a few words; of a number that is none "unknown result". Never freed.
 */
const char *shadow_result_text(int32_t result);

/**
 * Fills in the defaults. Call it before anything else is done with a configuration: a later version
 * may have more in it.
 *
 * `SHADOW_NULL_ARGUMENT`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_config_init(struct shadow_config *config);

/**
 * Makes an engine, which wants to connect at once: pass in the wall time, and poll. `now` is the
 * time on a clock of the program that does not go back, in microseconds; so is every other `now`.
 *
 * On success `*engine` is to be freed with `shadow_free`; else it is NULL, and `error`, a buffer of
 * `error_size` bytes, has why, in words, cut off where it is too small. `error` may be NULL.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`, `SHADOW_INVALID_DEVICE`,
 * `SHADOW_INVALID_CONFIG`, `SHADOW_INVALID_SESSION`, `SHADOW_NOT_BUILT_IN`, `SHADOW_PANICKED`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_new(const struct shadow_config *config,
                         uint64_t now,
                         struct shadow_engine **engine,
                         char *error,
                         size_t error_size);

/**
 * Frees an engine with everything it has lent. It sends nothing: `shadow_close` does that before.
 * NULL is nothing to free.
 *
 * # Safety
 * The rules at the top of this header.
 */
void shadow_free(struct shadow_engine *engine);

/**
 * Why the last call that was refused was so, in words; empty if none was. Lent until the next call
 * that is refused. Of NULL the empty text.
 *
 * # Safety
 * The rules at the top of this header.
 */
const char *shadow_last_error(const struct shadow_engine *engine);

/**
 * The wall time, in milliseconds since 1970 (UTC). Logins are signed with it, so pass it in at the
 * start, and whenever it was set.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_handle_wall_time(struct shadow_engine *engine,
                                      uint64_t now,
                                      uint64_t unix_millis);

/**
 * The transport has the connection that `SHADOW_TRANSMIT_CONNECT` asked for. Ignored when none was
 * asked for.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_handle_connected(struct shadow_engine *engine, uint64_t now);

/**
 * The transport received `length` bytes, in any cutting. They are copied as far as they are needed.
 * Ignored when there is no connection. What the server sends is never an error of this call.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_PANICKED`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_handle_bytes(struct shadow_engine *engine,
                                  uint64_t now,
                                  const uint8_t *bytes,
                                  size_t length);

/**
 * The transport lost its connection, or could not make one. `failure` is a `shadow_failure`; `why`
 * says it in words, as of `strerror`, and comes back in the event: what is not UTF-8 in it is
 * replaced, and NULL is no words. Ignored when no connection is asked for. Not for a connection that
 * `SHADOW_TRANSMIT_CLOSE` has ended.
 *
 * `SHADOW_NULL_ARGUMENT` for `engine`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_PANICKED`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_handle_disconnected(struct shadow_engine *engine,
                                         uint64_t now,
                                         uint32_t failure,
                                         const char *why);

/**
 * Time has passed. Does what is due by `now`; too early is harmless.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_handle_tick(struct shadow_engine *engine, uint64_t now);

/**
 * Connects now instead of waiting for the next try, as when the network is known to be back; at the
 * earliest `backoff_least_interval_micros` after the last login.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_reconnect(struct shadow_engine *engine, uint64_t now);

/**
 * The next thing to do on the transport. Its bytes are lent until the next call of this function.
 *
 * `SHADOW_OK`, or `SHADOW_EMPTY` when nothing is left; `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
 * Unless it is `SHADOW_OK`, `*transmit` is `SHADOW_TRANSMIT_NONE`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_poll_transmit(struct shadow_engine *engine,
                                   uint64_t now,
                                   struct shadow_transmit *transmit);

/**
 * The next event. Its texts are lent until the next call of this function.
 *
 * `SHADOW_OK`, or `SHADOW_EMPTY` when nothing is left; `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
 * Unless it is `SHADOW_OK`, `*event` is `SHADOW_EVENT_NONE`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_poll_event(struct shadow_engine *engine, struct shadow_event *event);

/**
 * When to call `shadow_handle_tick` at the latest, on the clock of `now`.
 *
 * `SHADOW_OK`, or `SHADOW_EMPTY` when nothing is due ever; `SHADOW_NULL_ARGUMENT`,
 * `SHADOW_PANICKED`. Unless it is `SHADOW_OK`, `*micros` is UINT64_MAX.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_poll_deadline(struct shadow_engine *engine, uint64_t *micros);

/**
 * Whether the server has accepted the login on the present link. Of NULL false.
 *
 * # Safety
 * The rules at the top of this header.
 */
bool shadow_is_online(struct shadow_engine *engine);

/**
 * Whether the cloud is known to hold all that was reported, and every answer has arrived. Of NULL,
 * or a shadow that is not attached, false.
 *
 * # Safety
 * The rules at the top of this header.
 */
bool shadow_is_synchronized(struct shadow_engine *engine, uint32_t shadow);

/**
 * What the engine has counted since `shadow_new`.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`; then all of `*counts` is 0.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_counters(struct shadow_engine *engine, struct shadow_counts *counts);

/**
 * What the device has reported, as the engine keeps it: a JSON object of all that `shadow_report`,
 * `shadow_accept` and its like have said, whether the cloud knows it yet or not; `{}` before the
 * first. Lent until the next call of this function.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_UNKNOWN_SHADOW`, `SHADOW_PANICKED`; then `*reported` is empty.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_reported(struct shadow_engine *engine,
                              uint32_t shadow,
                              struct shadow_text *reported);

/**
 * Reports that these keys have these values now: `patch` is a JSON object, null deletes a key. The
 * engine keeps what was reported and brings the cloud up to date on this link and every later one,
 * so it may be called at any time. Ends as `SHADOW_OUTCOME_REPORTED`; reports that leave together
 * are one request.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_NOT_UTF8`, `SHADOW_INVALID_JSON`, `SHADOW_INVALID_UPDATE` when it
 * is no object, `SHADOW_LIMIT_EXCEEDED`, `SHADOW_QUEUE_FULL`, `SHADOW_TOO_MANY_REQUESTS` when too
 * many ends wait to be polled, `SHADOW_UNKNOWN_SHADOW`, `SHADOW_CLOSED`, `SHADOW_PANICKED`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_report(struct shadow_engine *engine,
                            uint64_t now,
                            uint32_t shadow,
                            const char *patch,
                            uint64_t *request);

/**
 * Asks for the whole shadow. Ends as `SHADOW_OUTCOME_ACCEPTED` with the document.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_UNKNOWN_SHADOW`, `SHADOW_TOO_MANY_REQUESTS`, `SHADOW_QUEUE_FULL`,
 * `SHADOW_CLOSED`, `SHADOW_PANICKED`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_get(struct shadow_engine *engine,
                         uint64_t now,
                         uint32_t shadow,
                         uint64_t *request);

/**
 * Sends one update of `reported`, `desired` or both, each a JSON object, "null" to delete all of
 * it, or NULL to leave it as it is. If the link is lost before the answer it ends as
 * `SHADOW_OUTCOME_DISCONNECTED`; `shadow_report` is for state that has to arrive. Unless `version`
 * is 0 the cloud refuses it, with code 5005, if its document has another version. With `overwrite`
 * the given `reported` replaces the cloud's instead of being merged into it.
 *
 * `SHADOW_NULL_ARGUMENT` for `engine`, `SHADOW_NOT_UTF8`, `SHADOW_INVALID_JSON`,
 * `SHADOW_INVALID_UPDATE` when both parts are NULL or one is no object, `SHADOW_LIMIT_EXCEEDED`, and
 * those of `shadow_get`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_update(struct shadow_engine *engine,
                            uint64_t now,
                            uint32_t shadow,
                            const char *reported,
                            const char *desired,
                            uint64_t version,
                            bool overwrite,
                            uint64_t *request);

/**
 * Answers a change of what is desired: the device has applied it. Reports the values of `delta` as
 * `shadow_report` does and deletes them from what is desired, unless a newer change has replaced
 * them. `shadow` and `delta` are those of the event, or copies of them: now or at any later time.
 *
 * `SHADOW_EMPTY` when nothing is left to answer, as no key is in it; `SHADOW_INVALID_JSON` when
 * `delta` is no JSON object; and those of `shadow_report`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_accept(struct shadow_engine *engine,
                            uint64_t now,
                            uint32_t shadow,
                            const char *delta,
                            uint64_t *request);

/**
 * As `shadow_accept`, of these top-level keys alone. With `shadow_reject_except` for the rest.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_accept_only(struct shadow_engine *engine,
                                 uint64_t now,
                                 uint32_t shadow,
                                 const char *delta,
                                 const char *const *keys,
                                 size_t key_count,
                                 uint64_t *request);

/**
 * As `shadow_accept`, but reports `reported`, a JSON object: what the device has now, as when 150
 * was asked for and 100 is the most it can do.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_accept_as(struct shadow_engine *engine,
                               uint64_t now,
                               uint32_t shadow,
                               const char *delta,
                               const char *reported,
                               uint64_t *request);

/**
 * Answers a change of what is desired: the device will not apply it. Deletes the values of `delta`
 * from what is desired, unless a newer change has replaced them, and reports nothing. The cloud is
 * not told `reason`, words for a log of which NULL is none; it comes back with the end of the
 * request, `SHADOW_OUTCOME_DELTA_REJECTED`.
 *
 * Those of `shadow_accept`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_reject(struct shadow_engine *engine,
                            uint64_t now,
                            uint32_t shadow,
                            const char *delta,
                            const char *reason,
                            uint64_t *request);

/**
 * As `shadow_reject`, of all top-level keys but these: the ones that the device does not know.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_reject_except(struct shadow_engine *engine,
                                   uint64_t now,
                                   uint32_t shadow,
                                   const char *delta,
                                   const char *const *keys,
                                   size_t key_count,
                                   const char *reason,
                                   uint64_t *request);

/**
 * Ends an open request as cancelled. What has left cannot be called back, and what was reported or
 * answered stays so.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_UNKNOWN_REQUEST`, `SHADOW_PANICKED`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_cancel(struct shadow_engine *engine, uint64_t now, uint64_t request);

/**
 * Gives an open request so long from now, instead of `request_timeout_micros`, or of no end for a
 * report or an answer.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_UNKNOWN_REQUEST`, `SHADOW_PANICKED`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_set_timeout(struct shadow_engine *engine,
                                 uint64_t now,
                                 uint64_t request,
                                 uint64_t timeout_micros);

/**
 * Ends everything: open requests end as cancelled, a DISCONNECT is sent if there is a link, and the
 * last event is `SHADOW_EVENT_CLOSED`. Poll until it comes, then free the engine. A second time is
 * harmless.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_close(struct shadow_engine *engine, uint64_t now);

/**
 * Publishes a message on a topic that is no shadow's. Without a link it waits for one until its
 * time is over. Ends as `SHADOW_OUTCOME_PUBLISHED`.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`, `SHADOW_INVALID_TOPIC`,
 * `SHADOW_SHADOW_TOPIC`, `SHADOW_LIMIT_EXCEEDED`, `SHADOW_TOO_MANY_REQUESTS`, `SHADOW_QUEUE_FULL`,
 * `SHADOW_CLOSED`, `SHADOW_PANICKED`.
 *
 * Only in a library with the feature `messages`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_publish(struct shadow_engine *engine,
                             uint64_t now,
                             const char *topic,
                             const uint8_t *payload,
                             size_t length,
                             uint8_t qos,
                             bool retain,
                             uint64_t *request);

/**
 * Subscribes a topic filter, on this link and every later one. Its messages are events. Ends as
 * `SHADOW_OUTCOME_SUBSCRIBED`.
 *
 * Those of `shadow_publish`, and `SHADOW_TOO_MANY_SUBSCRIPTIONS`.
 *
 * Only in a library with the feature `messages`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_subscribe(struct shadow_engine *engine,
                               uint64_t now,
                               const char *filter,
                               uint8_t qos,
                               uint64_t *request);

/**
 * Unsubscribes a topic filter. Ends as `SHADOW_OUTCOME_UNSUBSCRIBED`.
 *
 * Those of `shadow_publish`.
 *
 * Only in a library with the feature `messages`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_unsubscribe(struct shadow_engine *engine,
                                 uint64_t now,
                                 const char *filter,
                                 uint64_t *request);

/**
 * Attaches one more shadow, as that of a gateway's sub-device; `*shadow` is its id from then on.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_NOT_UTF8`, `SHADOW_INVALID_DEVICE` for its names,
 * `SHADOW_ALREADY_ATTACHED`, `SHADOW_TOO_MANY_SUBSCRIPTIONS`, `SHADOW_LIMIT_EXCEEDED`,
 * `SHADOW_CLOSED`, `SHADOW_PANICKED`; then `*shadow` is UINT32_MAX, which is no shadow's.
 *
 * Only in a library with the feature `messages`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_attach(struct shadow_engine *engine,
                            uint64_t now,
                            const char *product_id,
                            const char *device_name,
                            uint32_t *shadow);

/**
 * Detaches a shadow: its open requests end as cancelled, and what was kept of it is forgotten.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_UNKNOWN_SHADOW`, `SHADOW_PANICKED`.
 *
 * Only in a library with the feature `messages`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_detach(struct shadow_engine *engine, uint64_t now, uint32_t shadow);

/**
 * A number that is another one whenever something has changed that a restart should not forget.
 * Store the session then, before `shadow_poll_transmit` and `shadow_poll_event` are called. Of NULL
 * 0.
 *
 * Only in a library with the feature `session`.
 *
 * # Safety
 * The rules at the top of this header.
 */
uint64_t shadow_session_revision(struct shadow_engine *engine);

/**
 * What outlives the program, to be stored and given to the next engine as `shadow_config.session`:
 * what was reported and not acknowledged, what is desired and was not answered, messages of QoS 1
 * and 2. It has no secret. Lent until the next call of this function.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`; then `*session` is empty.
 *
 * Only in a library with the feature `session`.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_session(struct shadow_engine *engine, struct shadow_bytes *session);

/**
 * Finds a member of a JSON object. `*value` points into `object`, to the value's JSON text of
 * `*value_length` bytes, for `shadow_json_string`, `shadow_json_number`, `shadow_json_integer` or
 * `shadow_json_bool`, or for this function, where it is an object. Of a key that comes twice the last
 * one.
 *
 * `SHADOW_OK`, or `SHADOW_EMPTY` when there is no such member; `SHADOW_NULL_ARGUMENT`,
 * `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`, `SHADOW_INVALID_JSON` when it is no object. Unless
 * it is `SHADOW_OK`, `*value` is NULL.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_json_member(const char *object,
                                 size_t length,
                                 const char *key,
                                 const char **value,
                                 size_t *value_length);

/**
 * Reads a JSON string: what it says is written to `buffer`, with a NUL behind it. It never takes
 * more than `length` bytes, the NUL included.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`; `SHADOW_INVALID_JSON` when
 * it is no string, or one with a NUL in it; `SHADOW_BUFFER_TOO_SMALL`. Then `buffer` is the empty
 * text.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_json_string(const char *value, size_t length, char *buffer, size_t capacity);

/**
 * Reads a JSON number as the nearest double, whatever the locale is.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`; `SHADOW_INVALID_JSON` when
 * it is no number, such as `true` or `"7"`, or one beyond the largest double. Then `*number` is 0.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_json_number(const char *value, size_t length, double *number);

/**
 * Reads a JSON number that is an integer: one without a fraction and an exponent, so neither `1.0`
 * nor `1e3`.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`; `SHADOW_INVALID_JSON` when
 * it is no integer, or one beyond 64 bits with a sign. Then `*integer` is 0.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_json_integer(const char *value, size_t length, int64_t *integer);

/**
 * Reads `true` or `false`.
 *
 * `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`; `SHADOW_INVALID_JSON` when
 * it is neither. Then `*truth` is false.
 *
 * # Safety
 * The rules at the top of this header.
 */
shadow_result shadow_json_bool(const char *value, size_t length, bool *truth);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SHADOW_CORE_H */

#ifdef SHADOW_BARE_METAL
/*
 * A library for a target without an operating system calls these three, which are yours to write.
 * Define SHADOW_BARE_METAL where you do, so that they are checked against what is called.
 */
#ifdef __cplusplus
extern "C" {
#endif

/** Memory of `size` bytes, at least 1, at a multiple of `align`, a power of two; NULL if there is none. */
void *shadow_malloc(size_t size, size_t align);

/** Takes back what `shadow_malloc` gave. */
void shadow_free_memory(void *memory);

#if defined(__GNUC__)
#define SHADOW_NORETURN __attribute__((noreturn))
#elif defined(_MSC_VER)
#define SHADOW_NORETURN __declspec(noreturn)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define SHADOW_NORETURN _Noreturn
#else
#define SHADOW_NORETURN
#endif

/**
 * The library has a bug in that place, or got no memory; there is no NUL behind `file`. Must not
 * return, as there is nothing to go on with: what happens then is undefined. Must not call the library.
 */
SHADOW_NORETURN void shadow_panic(const char *file, size_t file_length, uint32_t line);

#ifdef __cplusplus
}
#endif
#endif
