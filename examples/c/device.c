/* A device in C: blocking sockets, one thread, poll(2). Usage: device HOST PORT
 * It reports a counter and a temperature each second, sets its light to the color that is desired,
 * connects again by itself, and ends in order on SIGTERM or SIGINT. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shadow_core.h"
#define SECOND 1000000u /* microseconds */
static int stopping[2]; /* a pipe, so that a signal ends poll(2) */
static int sock = -1;

static void on_signal(int number)
{
    (void)number;
    if (write(stopping[1], "", 1) < 0)
        _exit(1);
}

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

static void lost(shadow_engine *engine, uint32_t failure, const char *why)
{
    hang_up();
    shadow_handle_disconnected(engine, now(), failure, why);
}

static void dial(shadow_engine *engine, const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int error = getaddrinfo(host, port, &hints, &found);
    sock = error ? -1 : socket(found->ai_family, found->ai_socktype, found->ai_protocol);
    if (sock >= 0 && connect(sock, found->ai_addr, found->ai_addrlen) == 0)
        shadow_handle_connected(engine, now());
    else
        lost(engine, SHADOW_CONNECT_FAILED, error ? gai_strerror(error) : strerror(errno));
    if (!error)
        freeaddrinfo(found);
}

static void send_all(shadow_engine *engine, shadow_bytes bytes)
{
    for (ssize_t sent; bytes.length > 0; bytes.data += sent, bytes.length -= (size_t)sent)
        if ((sent = send(sock, bytes.data, bytes.length, MSG_NOSIGNAL)) < 0) {
            lost(engine, SHADOW_BROKEN, strerror(errno));
            break;
        }
}

static void receive(shadow_engine *engine)
{
    uint8_t buffer[1024];
    ssize_t got = recv(sock, buffer, sizeof buffer, 0);
    if (got > 0)
        shadow_handle_bytes(engine, now(), buffer, (size_t)got);
    else
        lost(engine, got == 0 ? SHADOW_CLOSED_BY_PEER : SHADOW_BROKEN, strerror(errno));
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
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    if (argc != 3 || pipe(stopping) || sigaction(SIGTERM, &action, NULL)
        || sigaction(SIGINT, &action, NULL) || shadow_config_init(&config) != SHADOW_OK)
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
        struct pollfd ready[] = {{stopping[0], POLLIN, 0}, {sock, POLLIN, 0}};
        poll(ready, 2, wake > start ? (int)((wake - start) / 1000 + 1) : 0);
        if (ready[0].revents)
            shadow_close(engine, now());
        else if (ready[1].revents)
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
