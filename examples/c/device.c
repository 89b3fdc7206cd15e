/* A device in C: blocking sockets, one thread, poll(2). Usage: device HOST PORT
 * It reports a counter and a temperature each second, sets its light to the color that is desired,
 * connects again by itself, and ends in order on SIGTERM or SIGINT. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "shadow_core.h"
#define SECOND 1000000u /* microseconds */

static int sock = -1;
static volatile sig_atomic_t stopping;
static void on_signal(int number) { stopping = number; }

static uint64_t micros(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec / 1000;
}
static uint64_t now(void) { return micros(CLOCK_MONOTONIC); }

static void hang_up(void)
{
    if (sock >= 0)
        close(sock);
    sock = -1;
}

static shadow_result lost(shadow_engine *engine, uint32_t failure, const char *why)
{
    hang_up();
    return shadow_handle_disconnected(engine, now(), failure, why);
}

/* Tries each address. SO_SNDTIMEO bounds send(2), and on Linux connect(2); a signal ends both. */
static shadow_result dial(shadow_engine *engine, const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL, *at;
    struct timeval patience = {5, 0}; /* seconds */
    int yes = 1, error = getaddrinfo(host, port, &hints, &found);
    const char *why = error ? gai_strerror(error) : "";
    for (at = error ? NULL : found; at && sock < 0 && !stopping; at = at->ai_next)
        if ((sock = socket(at->ai_family, at->ai_socktype, at->ai_protocol)) < 0
            || setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience)
            || setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes)
            || connect(sock, at->ai_addr, at->ai_addrlen))
            why = errno == EINPROGRESS ? "timed out" : strerror(errno), hang_up();
    if (!error)
        freeaddrinfo(found);
    return sock >= 0 ? shadow_handle_connected(engine, now())
                     : lost(engine, SHADOW_CONNECT_FAILED, why);
}

static shadow_result send_all(shadow_engine *engine, shadow_bytes bytes)
{
    for (ssize_t sent; bytes.length > 0; bytes.data += sent, bytes.length -= (size_t)sent)
        if ((sent = send(sock, bytes.data, bytes.length, MSG_NOSIGNAL)) < 0)
            return lost(engine, SHADOW_BROKEN, errno == EAGAIN ? "timed out" : strerror(errno));
    return SHADOW_OK;
}

static shadow_result receive(shadow_engine *engine)
{
    uint8_t buffer[1024];
    ssize_t got = recv(sock, buffer, sizeof buffer, 0);
    return got > 0 ? shadow_handle_bytes(engine, now(), buffer, (size_t)got)
                   : lost(engine, got ? SHADOW_BROKEN : SHADOW_CLOSED_BY_PEER, strerror(errno));
}

/* Obeys `color`, and rejects whatever else is desired. */
static void obey(shadow_engine *engine, const shadow_event *event)
{
    const char *value, *delta = event->delta.data, *obeyed[] = {"color"};
    size_t length, count = 0;
    char color[32];
    if (shadow_json_member(delta, event->delta.length, "color", &value, &length) == SHADOW_OK
        && shadow_json_string(value, length, color, sizeof color) == SHADOW_OK) {
        printf("color %s\n", color); /* the light */
        shadow_accept_only(engine, now(), event->shadow, delta, obeyed, count = 1, NULL);
    }
    shadow_reject_except(engine, now(), event->shadow, delta, obeyed, count, "unknown", NULL);
}

int main(int argc, char **argv)
{
    char text[200];
    uint64_t deadline, next_report = 0;
    unsigned counter = 0;
    shadow_config config;
    shadow_engine *engine;
    shadow_transmit transmit;
    shadow_event event = {.kind = SHADOW_EVENT_NONE};
    struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
    if (argc != 3 || sigaction(SIGTERM, &action, NULL) || sigaction(SIGINT, &action, NULL)
        || shadow_config_init(&config) != SHADOW_OK)
        return 2;
    config.product_id = "EXAMPLE001";
    config.device_name = "test01";
    config.device_secret = "bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ==";
    config.seed = micros(CLOCK_REALTIME);
    if (shadow_new(&config, now(), &engine, text, sizeof text) != SHADOW_OK)
        return fprintf(stderr, "%s\n", text), 1;
    shadow_handle_wall_time(engine, now(), micros(CLOCK_REALTIME) / 1000);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (event.kind != SHADOW_EVENT_CLOSED) {
        while (shadow_poll_transmit(engine, now(), &transmit) == SHADOW_OK)
            switch (transmit.kind) {
            case SHADOW_TRANSMIT_CONNECT: dial(engine, argv[1], argv[2]); break;
            case SHADOW_TRANSMIT_SEND: send_all(engine, transmit.bytes); break;
            case SHADOW_TRANSMIT_CLOSE: hang_up(); break;
            }
        if (shadow_poll_event(engine, &event) == SHADOW_OK) {
            switch (event.kind) {
            case SHADOW_EVENT_CONNECTED: puts("connected"); break;
            case SHADOW_EVENT_DISCONNECTED: printf("disconnected: %s\n", event.text.data); break;
            case SHADOW_EVENT_DELTA: obey(engine, &event); break;
            }
            continue;
        }
        if (shadow_poll_deadline(engine, &deadline) < 0)
            return 1; /* a bug in the library */
        uint64_t start = now(), wake = deadline < next_report ? deadline : next_report;
        struct pollfd ready = {sock, POLLIN, 0};
        poll(&ready, 1, wake > start ? (int)((wake - start) / 1000 + 1) : 0); /* a second at most */
        if (stopping)
            shadow_close(engine, now());
        else if (ready.revents)
            receive(engine);
        shadow_handle_tick(engine, now());
        if (now() >= next_report) {
            snprintf(text, sizeof text, "{\"counter\":%u,\"temperature\":21.5}", ++counter);
            shadow_report(engine, now(), SHADOW_OWN, text, NULL);
            next_report = now() + SECOND;
        }
    }
    hang_up();
    shadow_free(engine);
    return 0;
}
