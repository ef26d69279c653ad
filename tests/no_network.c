/* Loaded before the C library: notes every host that a process asks for, and lets it reach only this machine. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void note(const char *host) {
    const char *path = getenv("HOSTS_ASKED");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (file) {
        fprintf(file, "%s\n", host);
        fclose(file);
    }
}

static int is_here(const char *host) {
    char own[256] = "";
    gethostname(own, sizeof own - 1);
    return !strcmp(host, "localhost") || !strncmp(host, "127.", 4) || !strcmp(host, "0.0.0.0") ||
           !strcmp(host, "::") || !strcmp(host, "::1") || !strcmp(host, own);
}

static int leads_out(const struct sockaddr *address) {
    char host[INET6_ADDRSTRLEN] = "";
    if (address && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, host, sizeof host);
    else if (address && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, host, sizeof host);
    if (!*host || is_here(host) || !strncmp(host, "::ffff:127.", 11)) return 0;
    note(host);
    errno = ENETUNREACH;
    return 1;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (host && *host && !is_here(host)) {
        note(host);
        return EAI_NONAME;
    }
    real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(host, service, hints, found);
}

int connect(int socket, const struct sockaddr *address, socklen_t length) {
    int (*real)(int, const struct sockaddr *, socklen_t);
    if (leads_out(address)) return -1;
    real = dlsym(RTLD_NEXT, "connect");
    return real(socket, address, length);
}

ssize_t sendto(int socket, const void *bytes, size_t count, int flags, const struct sockaddr *address, socklen_t length) {
    ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    if (leads_out(address)) return -1;
    real = dlsym(RTLD_NEXT, "sendto");
    return real(socket, bytes, count, flags, address, length);
}
