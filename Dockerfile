# The three roles, `dev` and the tools from one image. Needs no syntax newer than buildah 1.28 knows.
#
# The bases are arguments so that a mirror can stand in and a release pins both by digest. By default they are tags and not
# pinned: no registry was in reach where this was written. `make image-digests` asks for today's and prints these arguments:
#   --build-arg RUST_IMAGE=docker.io/library/rust:1.95-bookworm@sha256:…
#   --build-arg RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot@sha256:…
# Both are Debian 12, so that the binary finds the C library it was linked with.
# For several platforms: docker buildx build --platform linux/amd64,linux/arm64 .
ARG RUST_IMAGE=docker.io/library/rust:1.95-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST_IMAGE} AS build
WORKDIR /src
# What `build_info` shows as the revision.
ARG REVISION=unknown
ENV TIDINGS_REVISION=${REVISION}
# Set by BuildKit and buildah; keeps the platforms apart in the shared cache.
ARG TARGETARCH
COPY . .
# Without the line tables, which are three quarters of the binary; a backtrace still names its functions.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/target,sharing=locked \
    CARGO_TARGET_DIR="/target/${TARGETARCH}" CARGO_PROFILE_RELEASE_STRIP=debuginfo cargo build --release --locked --package tidings --bin tidings \
    && mkdir -p /out/data \
    && cp "/target/${TARGETARCH}/release/tidings" /out/tidings

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Tidings" \
      org.opencontainers.image.description="Real-time messaging that keeps what it accepted" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /out/tidings /usr/local/bin/tidings
# For `tidings dev` alone; the roles write nothing.
COPY --from=build --chown=65532:65532 /out/data /var/lib/tidings
# Inside a container loopback would be nobody's.
ENV TIDINGS__SERVER__LISTEN=0.0.0.0:8080 \
    TIDINGS__SERVER__OPS_LISTEN=0.0.0.0:9090 \
    TIDINGS__EMBEDDED__DATA_DIR=/var/lib/tidings
VOLUME ["/var/lib/tidings"]
EXPOSE 8080 9090
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/local/bin/tidings", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/tidings"]
CMD ["--help"]
