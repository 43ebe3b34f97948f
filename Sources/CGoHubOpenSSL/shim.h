// Parts of OpenSSL 3 that Swift cannot import: function-like macros and constants built by macros. Each shim has the
// name of its macro with the prefix `gohub_`.

#ifndef GOHUB_OPENSSL_SHIM_H
#define GOHUB_OPENSSL_SHIM_H

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Options and modes.

static inline uint64_t gohub_SSL_OP_NO_COMPRESSION(void) { return SSL_OP_NO_COMPRESSION; }
static inline uint64_t gohub_SSL_OP_NO_RENEGOTIATION(void) { return SSL_OP_NO_RENEGOTIATION; }
static inline uint64_t gohub_SSL_OP_CIPHER_SERVER_PREFERENCE(void) { return SSL_OP_CIPHER_SERVER_PREFERENCE; }
static inline uint64_t gohub_SSL_OP_PRIORITIZE_CHACHA(void) { return SSL_OP_PRIORITIZE_CHACHA; }

static inline long gohub_SSL_CTX_set_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_set_mode(context, mode);
}

static inline long gohub_SSL_CTX_clear_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_clear_mode(context, mode);
}

// Versions, groups and sessions.

static inline int gohub_SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_min_proto_version(context, version);
}

static inline int gohub_SSL_CTX_set_max_proto_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_max_proto_version(context, version);
}

static inline int gohub_SSL_CTX_set1_groups_list(SSL_CTX *context, const char *groups) {
    return (int)SSL_CTX_set1_groups_list(context, groups);
}

static inline long gohub_SSL_CTX_set_session_cache_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_set_session_cache_mode(context, mode);
}

// Certificates. `add1` takes a reference of its own: the caller keeps and frees the certificate.

static inline int gohub_SSL_CTX_add1_chain_cert(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

static inline unsigned long gohub_XN_FLAG_RFC2253(void) { return XN_FLAG_RFC2253; }

static inline long gohub_BIO_get_mem_data(BIO *bio, char **start) { return BIO_get_mem_data(bio, start); }

// Errors.

static inline int gohub_ERR_R_MALLOC_FAILURE(void) { return ERR_R_MALLOC_FAILURE; }

// Clients.

static inline int gohub_SSL_set_tlsext_host_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

// For test clients and test certificates.

static inline int gohub_SSL_set_min_proto_version(SSL *ssl, int version) {
    return (int)SSL_set_min_proto_version(ssl, version);
}

static inline int gohub_SSL_set_max_proto_version(SSL *ssl, int version) {
    return (int)SSL_set_max_proto_version(ssl, version);
}

static inline EVP_PKEY *gohub_EVP_EC_gen(const char *curve) { return EVP_EC_gen(curve); }

#endif
