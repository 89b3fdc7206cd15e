/* A resolver for which every host has two addresses, at the first of which nobody listens. */
#define _POSIX_C_SOURCE 200809L
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

struct answer {
    struct addrinfo info[2];
    struct sockaddr_in address[2];
};

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **found)
{
    struct answer *answer = calloc(1, sizeof *answer);
    if (answer == NULL)
        return EAI_MEMORY;
    for (int i = 0; i < 2; i++) {
        answer->address[i].sin_family = AF_INET;
        answer->address[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        answer->address[i].sin_port = htons((uint16_t)(i == 0 ? 1 : atoi(port)));
        answer->info[i].ai_family = AF_INET;
        answer->info[i].ai_socktype = hints->ai_socktype;
        answer->info[i].ai_addr = (struct sockaddr *)&answer->address[i];
        answer->info[i].ai_addrlen = sizeof answer->address[i];
    }
    answer->info[0].ai_next = &answer->info[1];
    *found = answer->info;
    return host == NULL;
}

void freeaddrinfo(struct addrinfo *found) { free(found); }
