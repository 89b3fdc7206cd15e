/*
 * What a C program may do wrong without harm, and what it may do in any order: run under valgrind,
 * which has to find nothing, by `tests/c/misuse.rs`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shadow_core.h"

static int checks, failures;

#define CHECK(condition)                                                         \
    do {                                                                         \
        checks++;                                                                \
        if (!(condition)) {                                                      \
            failures++;                                                          \
            printf("line %d: %s\n", __LINE__, #condition);                       \
        }                                                                        \
    } while (0)

static const char *const BAD_UTF8 = "\xC3\x28";
static const uint8_t CONNACK[] = {0x20, 2, 0, 0};

static shadow_config lamp(void)
{
    shadow_config config;
    memset(&config, 0xFF, sizeof config);
    CHECK(shadow_config_init(&config) == SHADOW_OK);
    config.product_id = "PRODUCT001";
    config.device_name = "lamp";
    config.device_secret = "c2VjcmV0";
    config.seed = 1;
    return config;
}

static shadow_engine *make(const shadow_config *config)
{
    char error[200];
    shadow_engine *engine = NULL;
    CHECK(shadow_new(config, 0, &engine, error, sizeof error) == SHADOW_OK);
    CHECK(strcmp(error, "") == 0);
    if (engine == NULL) {
        printf("no engine: %s\n", error);
        exit(1);
    }
    return engine;
}

static shadow_engine *make_lamp(void)
{
    shadow_config config = lamp();
    return make(&config);
}

/* Polls everything; how many packets and events there were. */
static int drain(shadow_engine *engine, uint64_t now)
{
    shadow_transmit transmit;
    shadow_event event;
    int count = 0;
    unsigned sum = 0;
    size_t i;
    while (shadow_poll_transmit(engine, now, &transmit) == SHADOW_OK) {
        for (i = 0; i < transmit.bytes.length; i++)
            sum += transmit.bytes.data[i];
        count++;
    }
    while (shadow_poll_event(engine, &event) == SHADOW_OK) {
        CHECK(event.document.data[event.document.length] == 0);
        CHECK(event.payload.data[event.payload.length] == 0);
        sum += (unsigned)(strlen(event.text.data) + strlen(event.topic.data));
        count++;
    }
    CHECK(event.kind == SHADOW_EVENT_NONE && event.text.length == 0);
    CHECK(transmit.kind == SHADOW_TRANSMIT_NONE && transmit.bytes.data != NULL);
    return count + (sum == 1);
}

static shadow_engine *online(void)
{
    shadow_engine *engine = make_lamp();
    CHECK(shadow_handle_wall_time(engine, 0, 1700000000000u) == SHADOW_OK);
    CHECK(drain(engine, 0) == 1);
    CHECK(shadow_handle_connected(engine, 0) == SHADOW_OK);
    CHECK(drain(engine, 0) == 1);
    CHECK(!shadow_is_online(engine));
    CHECK(shadow_handle_bytes(engine, 0, CONNACK, sizeof CONNACK) == SHADOW_OK);
    CHECK(shadow_is_online(engine));
    drain(engine, 0);
    return engine;
}

static void no_engine(void)
{
    const char *keys[] = {"a"};
    uint64_t request = 1, micros = 1;
    uint32_t shadow = 1;
    shadow_transmit transmit;
    shadow_event event;
    shadow_bytes session;
    shadow_counts counts;
    shadow_text reported;
    const shadow_result null = SHADOW_NULL_ARGUMENT;
    shadow_free(NULL);
    CHECK(shadow_config_init(NULL) == null);
    CHECK(shadow_handle_wall_time(NULL, 0, 0) == null);
    CHECK(shadow_handle_connected(NULL, 0) == null);
    CHECK(shadow_handle_bytes(NULL, 0, CONNACK, 4) == null);
    CHECK(shadow_handle_disconnected(NULL, 0, SHADOW_BROKEN, "") == null);
    CHECK(shadow_handle_tick(NULL, 0) == null);
    CHECK(shadow_reconnect(NULL, 0) == null);
    CHECK(shadow_report(NULL, 0, 0, "{}", &request) == null);
    CHECK(shadow_get(NULL, 0, 0, NULL) == null);
    CHECK(shadow_update(NULL, 0, 0, "{}", "{}", 0, false, NULL) == null);
    CHECK(shadow_accept(NULL, 0, 0, "{}", NULL) == null);
    CHECK(shadow_accept_only(NULL, 0, 0, "{}", keys, 1, NULL) == null);
    CHECK(shadow_accept_as(NULL, 0, 0, "{}", "{}", NULL) == null);
    CHECK(shadow_reject(NULL, 0, 0, "{}", "", NULL) == null);
    CHECK(shadow_reject_except(NULL, 0, 0, "{}", keys, 1, "", NULL) == null);
    CHECK(shadow_publish(NULL, 0, "a", NULL, 0, 0, false, NULL) == null);
    CHECK(shadow_subscribe(NULL, 0, "a", 0, NULL) == null);
    CHECK(shadow_unsubscribe(NULL, 0, "a", NULL) == null);
    CHECK(shadow_cancel(NULL, 0, 0) == null);
    CHECK(shadow_set_timeout(NULL, 0, 0, 0) == null);
    CHECK(shadow_attach(NULL, 0, "a", "b", &shadow) == null && shadow == UINT32_MAX);
    CHECK(shadow_detach(NULL, 0, 0) == null);
    CHECK(shadow_close(NULL, 0) == null);
    CHECK(shadow_poll_transmit(NULL, 0, &transmit) == null);
    CHECK(transmit.kind == SHADOW_TRANSMIT_NONE && transmit.bytes.length == 0);
    CHECK(shadow_poll_event(NULL, &event) == null);
    CHECK(event.kind == SHADOW_EVENT_NONE && strcmp(event.delta.data, "") == 0);
    CHECK(shadow_poll_deadline(NULL, &micros) == null && micros == UINT64_MAX);
    CHECK(shadow_session(NULL, &session) == null && session.length == 0);
    memset(&counts, 0xFF, sizeof counts);
    CHECK(shadow_counters(NULL, &counts) == null);
    CHECK(counts.packets_sent == 0 && counts.connects == 0 && counts.events_lost == 0);
    CHECK(shadow_reported(NULL, 0, &reported) == null);
    CHECK(reported.length == 0 && strcmp(reported.data, "") == 0);
    CHECK(request == SHADOW_NO_REQUEST);
    CHECK(!shadow_is_online(NULL) && !shadow_is_synchronized(NULL, 0));
    CHECK(shadow_session_revision(NULL) == 0);
    CHECK(strcmp(shadow_last_error(NULL), "") == 0);
}

/* With a text for `device_info`, or NULL; whether it was refused so, with words. */
static int refused(const shadow_config *config, shadow_result wanted)
{
    char error[200];
    shadow_engine *engine = (shadow_engine *)error;
    shadow_result result = shadow_new(config, 0, &engine, error, sizeof error);
    if (result != wanted)
        printf("%s: %s\n", shadow_result_text(result), error);
    return result == wanted && engine == NULL && strlen(error) > 5;
}

static void no_device(void)
{
    shadow_config config = lamp();
    shadow_engine *engine = NULL;
    char error[8] = "unknown";
    CHECK(shadow_new(&config, 0, NULL, error, sizeof error) == SHADOW_NULL_ARGUMENT);
    CHECK(strcmp(error, "`engine") == 0);
    CHECK(shadow_new(NULL, 0, &engine, NULL, 0) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_new(NULL, 0, &engine, error, 1) == SHADOW_NULL_ARGUMENT);
    CHECK(error[0] == 0 && error[1] == 'e');
    CHECK(refused(NULL, SHADOW_NULL_ARGUMENT));
    config.product_id = NULL;
    CHECK(refused(&config, SHADOW_NULL_ARGUMENT));
    config = lamp(), config.device_name = BAD_UTF8;
    CHECK(refused(&config, SHADOW_NOT_UTF8));
    config = lamp(), config.device_name = "a/b";
    CHECK(refused(&config, SHADOW_INVALID_DEVICE));
    config = lamp(), config.device_secret = "not base64!";
    CHECK(refused(&config, SHADOW_INVALID_DEVICE));
    config = lamp(), config.device_info = "{\"auth_mode\":\"KEY\"}";
    CHECK(refused(&config, SHADOW_INVALID_DEVICE));
    config = lamp(), config.shadow_qos = 2;
    CHECK(refused(&config, SHADOW_INVALID_ARGUMENT));
    config = lamp(), config.version_policy = SHADOW_VERSION_REBASE + 1;
    CHECK(refused(&config, SHADOW_INVALID_ARGUMENT));
    config = lamp(), config.device_secret = NULL;
    CHECK(refused(&config, SHADOW_NULL_ARGUMENT));
    config = lamp(), config.has_certificate = 1, config.device_name = NULL;
    CHECK(refused(&config, SHADOW_NULL_ARGUMENT));
    config = lamp(), config.keep_alive_seconds = 0xFFFF;
    CHECK(refused(&config, SHADOW_INVALID_CONFIG));
    config = lamp(), config.session_length = 3;
    CHECK(refused(&config, SHADOW_NULL_ARGUMENT));
    config.session = (const uint8_t *)"???";
    CHECK(refused(&config, SHADOW_INVALID_SESSION));
    config.session_length = SIZE_MAX;
    CHECK(refused(&config, SHADOW_INVALID_ARGUMENT));
}

/* Every bound at its worst: an engine that does little, and nothing worse. */
static void bounds(void)
{
    shadow_config config = lamp();
    shadow_engine *engine;
    config.maximum_packet_size = config.maximum_requests = config.maximum_queued_bytes = 0;
    config.maximum_in_flight = config.maximum_events = config.maximum_event_bytes = 0;
    config.maximum_subscriptions = config.version_tries = 0;
    config.ping_timeout_micros = config.connect_timeout_micros = 0;
    config.request_timeout_micros = config.backoff_initial_micros = 0;
    config.backoff_maximum_micros = config.backoff_least_interval_micros = UINT64_MAX;
    engine = make(&config);
    CHECK(shadow_get(engine, UINT64_MAX, SHADOW_OWN, NULL) == SHADOW_TOO_MANY_REQUESTS);
    drain(engine, UINT64_MAX);
    shadow_free(engine);
    config = lamp();
    config.maximum_packet_size = config.maximum_requests = config.maximum_queued_bytes = SIZE_MAX;
    config.maximum_in_flight = config.maximum_events = config.maximum_event_bytes = SIZE_MAX;
    config.maximum_subscriptions = SIZE_MAX;
    config.ping_timeout_micros = config.connect_timeout_micros = UINT64_MAX;
    config.request_timeout_micros = config.backoff_initial_micros = UINT64_MAX;
    engine = make(&config);
    CHECK(shadow_get(engine, 0, SHADOW_OWN, NULL) == SHADOW_OK);
    shadow_handle_tick(engine, UINT64_MAX);
    drain(engine, UINT64_MAX);
    shadow_free(engine);
}

static void bad_arguments(void)
{
    shadow_engine *engine = online();
    const char *keys[] = {"a", NULL};
    uint64_t request = 1;
    uint32_t shadow;
    shadow_text reported;
    CHECK(shadow_handle_bytes(engine, 0, NULL, 1) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_handle_bytes(engine, 0, CONNACK, SIZE_MAX) == SHADOW_INVALID_ARGUMENT);
    CHECK(shadow_handle_bytes(engine, 0, NULL, 0) == SHADOW_OK);
    CHECK(shadow_handle_disconnected(engine, 0, 4, "") == SHADOW_INVALID_ARGUMENT);
    CHECK(shadow_is_online(engine));
    CHECK(shadow_report(engine, 0, SHADOW_OWN, NULL, &request) == SHADOW_NULL_ARGUMENT);
    CHECK(request == SHADOW_NO_REQUEST);
    CHECK(strcmp(shadow_last_error(engine), "`patch` is NULL") == 0);
    CHECK(shadow_report(engine, 0, SHADOW_OWN, BAD_UTF8, NULL) == SHADOW_NOT_UTF8);
    CHECK(strcmp(shadow_last_error(engine), "`patch` is not UTF-8") == 0);
    CHECK(shadow_report(engine, 0, SHADOW_OWN, "{\"a\":}", NULL) == SHADOW_INVALID_JSON);
    CHECK(shadow_report(engine, 0, SHADOW_OWN, "[1]", NULL) == SHADOW_INVALID_UPDATE);
    CHECK(shadow_report(engine, 0, 7, "{\"a\":1}", NULL) == SHADOW_UNKNOWN_SHADOW);
    CHECK(shadow_get(engine, 0, 7, &request) == SHADOW_UNKNOWN_SHADOW);
    CHECK(shadow_update(engine, 0, 0, NULL, NULL, 0, false, &request) == SHADOW_INVALID_UPDATE);
    CHECK(shadow_update(engine, 0, 0, "1", NULL, 0, false, &request) == SHADOW_INVALID_UPDATE);
    CHECK(shadow_update(engine, 0, 0, "{", NULL, 0, false, &request) == SHADOW_INVALID_JSON);
    CHECK(shadow_accept(engine, 0, 0, "[]", NULL) == SHADOW_INVALID_JSON);
    CHECK(shadow_accept(engine, 0, 0, "", NULL) == SHADOW_INVALID_JSON);
    CHECK(shadow_accept(engine, 0, 0, " { } ", &request) == SHADOW_EMPTY);
    CHECK(request == SHADOW_NO_REQUEST);
    CHECK(shadow_accept(engine, 0, 9, "{\"a\":1}", NULL) == SHADOW_UNKNOWN_SHADOW);
    CHECK(shadow_accept_only(engine, 0, 0, "{\"a\":1}", NULL, 1, NULL) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_accept_only(engine, 0, 0, "{\"a\":1}", keys, 2, NULL) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_accept_only(engine, 0, 0, "{\"a\":1}", keys, SIZE_MAX / 4, NULL)
          == SHADOW_INVALID_ARGUMENT);
    CHECK(shadow_accept_only(engine, 0, 0, "{\"a\":1}", NULL, 0, NULL) == SHADOW_EMPTY);
    CHECK(shadow_accept_only(engine, 0, 0, "{\"b\":1}", keys, 1, NULL) == SHADOW_EMPTY);
    CHECK(shadow_reject_except(engine, 0, 0, "{\"a\":1}", keys, 1, "", NULL) == SHADOW_EMPTY);
    CHECK(shadow_reject(engine, 0, 0, "{\"a\":1}", BAD_UTF8, NULL) == SHADOW_OK);
    CHECK(shadow_reject(engine, 0, 0, "{\"a\":1}", NULL, NULL) == SHADOW_OK);
    CHECK(shadow_accept_as(engine, 0, 0, "{\"a\":1}", "1", NULL) == SHADOW_INVALID_UPDATE);
    CHECK(shadow_publish(engine, 0, "a/#", NULL, 0, 0, false, NULL) == SHADOW_INVALID_TOPIC);
    CHECK(shadow_publish(engine, 0, "a", NULL, 0, 3, false, NULL) == SHADOW_INVALID_ARGUMENT);
    CHECK(shadow_publish(engine, 0, "a", NULL, 1, 0, false, NULL) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_publish(engine, 0, "$shadow/operation/PRODUCT001/lamp", NULL, 0, 0, false, NULL)
          == SHADOW_SHADOW_TOPIC);
    CHECK(shadow_subscribe(engine, 0, "a", 255, NULL) == SHADOW_INVALID_ARGUMENT);
    CHECK(shadow_subscribe(engine, 0, "a/#/b", 0, NULL) == SHADOW_INVALID_TOPIC);
    CHECK(shadow_unsubscribe(engine, 0, "", NULL) == SHADOW_INVALID_TOPIC);
    CHECK(shadow_cancel(engine, 0, SHADOW_NO_REQUEST) == SHADOW_UNKNOWN_REQUEST);
    CHECK(shadow_set_timeout(engine, 0, 99, 1) == SHADOW_UNKNOWN_REQUEST);
    CHECK(shadow_attach(engine, 0, "a", "b", NULL) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_attach(engine, 0, "a", "+", &shadow) == SHADOW_INVALID_DEVICE);
    CHECK(shadow_attach(engine, 0, "PRODUCT001", "lamp", &shadow) == SHADOW_ALREADY_ATTACHED);
    CHECK(shadow == UINT32_MAX);
    CHECK(shadow_detach(engine, 0, 3) == SHADOW_UNKNOWN_SHADOW);
    CHECK(shadow_poll_transmit(engine, 0, NULL) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_poll_event(engine, NULL) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_poll_deadline(engine, NULL) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_session(engine, NULL) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_counters(engine, NULL) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_reported(engine, SHADOW_OWN, NULL) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_reported(engine, 7, &reported) == SHADOW_UNKNOWN_SHADOW);
    CHECK(reported.length == 0 && strcmp(reported.data, "") == 0);
    /* After all that it works. */
    CHECK(shadow_report(engine, 0, SHADOW_OWN, "{\"a\":1}", &request) == SHADOW_OK);
    CHECK(request != SHADOW_NO_REQUEST);
    /* A lost connection is never refused for its words. */
    CHECK(shadow_handle_disconnected(engine, 0, SHADOW_BROKEN, BAD_UTF8) == SHADOW_OK);
    CHECK(!shadow_is_online(engine));
    drain(engine, 0);
    CHECK(shadow_handle_disconnected(engine, 0, SHADOW_BROKEN, NULL) == SHADOW_OK);
    shadow_free(engine);
}

/* Bytes of nobody in particular, one by one, end the link and nothing else. */
static void hostile_bytes(void)
{
    shadow_engine *engine = online();
    uint32_t random = 1;
    int i;
    for (i = 0; i < 2000; i++) {
        uint8_t byte;
        random = random * 1103515245u + 12345u;
        byte = (uint8_t)(random >> 16);
        CHECK(shadow_handle_bytes(engine, (uint64_t)i * 1000, &byte, 1) == SHADOW_OK);
        drain(engine, (uint64_t)i * 1000);
    }
    CHECK(!shadow_is_online(engine));
    shadow_free(engine);
}

/* Loans last as long as the header says, whatever else is called. */
static void loans(void)
{
    shadow_engine *engine = make_lamp();
    shadow_transmit transmit;
    shadow_event event;
    shadow_bytes session;
    shadow_text reported;
    char connect[300], stored[600];
    size_t length;
    const char *error;
    shadow_handle_wall_time(engine, 0, 1700000000000u);
    CHECK(shadow_poll_transmit(engine, 0, &transmit) == SHADOW_OK);
    CHECK(transmit.kind == SHADOW_TRANSMIT_CONNECT && transmit.bytes.length == 0);
    shadow_handle_connected(engine, 0);
    CHECK(shadow_poll_transmit(engine, 0, &transmit) == SHADOW_OK);
    CHECK(transmit.kind == SHADOW_TRANSMIT_SEND && transmit.bytes.length < sizeof connect);
    memcpy(connect, transmit.bytes.data, transmit.bytes.length);
    CHECK(shadow_report(engine, 0, SHADOW_OWN, "{\"a\":1}", NULL) == SHADOW_OK);
    CHECK(shadow_reported(engine, SHADOW_OWN, &reported) == SHADOW_OK);
    CHECK(shadow_report(engine, 0, SHADOW_OWN, "{\"a\":2,\"b\":[]}", NULL) == SHADOW_OK);
    CHECK(shadow_report(engine, 0, SHADOW_OWN, "[]", NULL) == SHADOW_INVALID_UPDATE);
    error = shadow_last_error(engine);
    length = strlen(error);
    CHECK(shadow_session(engine, &session) == SHADOW_OK && session.length < sizeof stored);
    memcpy(stored, session.data, session.length);
    shadow_handle_bytes(engine, 0, CONNACK, sizeof CONNACK);
    CHECK(shadow_poll_event(engine, &event) == SHADOW_OK);
    CHECK(event.kind == SHADOW_EVENT_CONNECTED && !event.session_present);
    shadow_handle_disconnected(engine, 0, SHADOW_BROKEN, "a cat");
    CHECK(shadow_poll_event(engine, &event) == SHADOW_OK);
    CHECK(event.kind == SHADOW_EVENT_DISCONNECTED && event.cause == SHADOW_CAUSE_TRANSPORT);
    CHECK(event.retry_in_micros > 0);
    shadow_close(engine, 0);
    shadow_handle_tick(engine, 99);
    /* All of it is still what it was. */
    CHECK(memcmp(connect, transmit.bytes.data, transmit.bytes.length) == 0);
    CHECK(strcmp(event.text.data, "the connection broke: a cat") == 0);
    CHECK(memcmp(stored, session.data, session.length) == 0);
    CHECK(strlen(error) == length && length > 0);
    CHECK(strcmp(reported.data, "{\"a\":1}") == 0 && reported.length == 7);
    CHECK(event.text.length == strlen(event.text.data));
    shadow_free(engine);
}

static void closed(void)
{
    shadow_engine *engine = online();
    uint64_t request, micros;
    shadow_transmit transmit;
    shadow_event event;
    CHECK(shadow_get(engine, 0, SHADOW_OWN, &request) == SHADOW_OK);
    CHECK(shadow_close(engine, 0) == SHADOW_OK);
    CHECK(shadow_close(engine, 0) == SHADOW_OK);
    CHECK(shadow_get(engine, 0, SHADOW_OWN, NULL) == SHADOW_CLOSED);
    CHECK(shadow_report(engine, 0, SHADOW_OWN, "{}", NULL) == SHADOW_CLOSED);
    CHECK(shadow_poll_transmit(engine, 0, &transmit) == SHADOW_OK);
    CHECK(transmit.bytes.length == 2 && transmit.bytes.data[0] == 0xE0); /* DISCONNECT */
    CHECK(shadow_poll_transmit(engine, 0, &transmit) == SHADOW_OK);
    CHECK(transmit.kind == SHADOW_TRANSMIT_CLOSE);
    CHECK(shadow_poll_transmit(engine, 0, &transmit) == SHADOW_EMPTY);
    CHECK(shadow_poll_event(engine, &event) == SHADOW_OK && event.kind == SHADOW_EVENT_ENDED);
    CHECK(event.request == request && event.outcome == SHADOW_OUTCOME_CANCELLED);
    CHECK(shadow_poll_event(engine, &event) == SHADOW_OK && event.kind == SHADOW_EVENT_CLOSED);
    CHECK(shadow_poll_event(engine, &event) == SHADOW_EMPTY);
    CHECK(shadow_poll_deadline(engine, &micros) == SHADOW_EMPTY && micros == UINT64_MAX);
    shadow_handle_bytes(engine, 0, CONNACK, sizeof CONNACK);
    shadow_handle_connected(engine, 0);
    shadow_handle_tick(engine, 99);
    CHECK(drain(engine, 99) == 0);
    shadow_free(engine);
}

/* Freed in the middle of anything, and engines among each other. */
static void freed(void)
{
    shadow_engine *first = make_lamp(), *second = online(), *third;
    shadow_config config = lamp();
    shadow_bytes session;
    uint32_t sub;
    CHECK(shadow_attach(second, 0, "PRODUCT001", "sub", &sub) == SHADOW_OK && sub != SHADOW_OWN);
    CHECK(shadow_report(second, 0, sub, "{\"a\":1}", NULL) == SHADOW_OK);
    CHECK(shadow_session(second, &session) == SHADOW_OK && session.length > 0);
    config.session = session.data;
    config.session_length = session.length;
    third = make(&config);
    shadow_free(second); /* before what was made of its loan */
    CHECK(shadow_report(third, 0, SHADOW_OWN, "{\"a\":1}", NULL) == SHADOW_OK);
    CHECK(shadow_session(third, &session) == SHADOW_OK);
    config.session = session.data;
    config.session_length = session.length;
    config.device_name = "another";
    CHECK(refused(&config, SHADOW_INVALID_SESSION));
    shadow_free(third); /* with requests that are open */
    shadow_free(first); /* which was never polled */
}

static void json(void)
{
    const char *object = "{\"a\":{\"b\":\"x\\u00e9\"},\"n\":\"\\u0000\",\"a b\":12.5e1}";
    const char *value, *inner;
    size_t length, inner_length, all = strlen(object);
    double number = 1;
    int64_t integer = 1;
    bool truth = true;
    char text[8];
    CHECK(shadow_json_member(object, all, "a", &value, &length) == SHADOW_OK);
    CHECK(shadow_json_member(value, length, "b", &inner, &inner_length) == SHADOW_OK);
    CHECK(shadow_json_string(inner, inner_length, text, 4) == SHADOW_OK);
    CHECK(strcmp(text, "x\xC3\xA9") == 0);
    CHECK(shadow_json_string(inner, inner_length, text, 3) == SHADOW_BUFFER_TOO_SMALL);
    CHECK(text[0] == 0);
    CHECK(shadow_json_string(inner, inner_length, text, 0) == SHADOW_BUFFER_TOO_SMALL);
    CHECK(shadow_json_string(value, length, text, sizeof text) == SHADOW_INVALID_JSON);
    CHECK(shadow_json_string(inner, inner_length, NULL, 9) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_json_string(NULL, 0, text, sizeof text) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_json_string("\"\xFF\"", 3, text, sizeof text) == SHADOW_NOT_UTF8);
    CHECK(shadow_json_member(object, all, "n", &value, &length) == SHADOW_OK);
    CHECK(shadow_json_string(value, length, text, sizeof text) == SHADOW_INVALID_JSON);
    CHECK(shadow_json_member(object, all, "a b", &value, &length) == SHADOW_OK);
    CHECK(shadow_json_number(value, length, &number) == SHADOW_OK && number == 125);
    CHECK(shadow_json_member(object, all, "b", &value, &length) == SHADOW_EMPTY);
    CHECK(value == NULL && length == 0);
    CHECK(shadow_json_member(object, all - 1, "a", &value, &length) == SHADOW_INVALID_JSON);
    CHECK(shadow_json_member("[]", 2, "a", &value, &length) == SHADOW_INVALID_JSON);
    CHECK(shadow_json_member(object, SIZE_MAX, "a", &value, &length) == SHADOW_INVALID_ARGUMENT);
    CHECK(shadow_json_member(NULL, 2, "a", &value, &length) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_json_member(object, all, NULL, &value, &length) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_json_member(object, all, BAD_UTF8, &value, &length) == SHADOW_NOT_UTF8);
    CHECK(shadow_json_member(object, all, "a", NULL, &length) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_json_member(object, all, "a", &value, NULL) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_json_number("12x", 2, &number) == SHADOW_OK && number == 12);
    CHECK(shadow_json_integer("12x", 2, &integer) == SHADOW_OK && integer == 12);
    CHECK(shadow_json_bool("truex", 4, &truth) == SHADOW_OK && truth);
    CHECK(shadow_json_number("12x", 3, &number) == SHADOW_INVALID_JSON && number == 0);
    CHECK(shadow_json_integer("12x", 3, &integer) == SHADOW_INVALID_JSON && integer == 0);
    CHECK(shadow_json_bool("truex", 5, &truth) == SHADOW_INVALID_JSON && !truth);
    CHECK(shadow_json_number("", 0, &number) == SHADOW_INVALID_JSON);
    CHECK(shadow_json_number("1\xFF", 2, &number) == SHADOW_NOT_UTF8);
    CHECK(shadow_json_number("1", SIZE_MAX, &number) == SHADOW_INVALID_ARGUMENT);
    CHECK(shadow_json_number(NULL, 1, &number) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_json_integer(NULL, 0, &integer) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_json_number("1", 1, NULL) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_json_integer("1", 1, NULL) == SHADOW_NULL_ARGUMENT);
    CHECK(shadow_json_bool("true", 4, NULL) == SHADOW_NULL_ARGUMENT);
}

int main(void)
{
    CHECK(strcmp(shadow_version(), SHADOW_VERSION) == 0);
    CHECK(strcmp(shadow_result_text(12345), "unknown result") == 0);
    CHECK(strcmp(shadow_result_text(SHADOW_EMPTY), "there is nothing") == 0);
    no_engine();
    no_device();
    bounds();
    bad_arguments();
    hostile_bytes();
    loans();
    closed();
    freed();
    json();
    if (failures > 0)
        return 1;
    printf("%d checks, none failed\n", checks);
    return 0;
}
