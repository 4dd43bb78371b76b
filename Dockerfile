# syntax=docker/dockerfile:1
# The products as container images, for who builds with a container engine; `cargo xtask image` needs none.
#   docker build --target tollward-sidecar --tag tollward-sidecar .
#   docker build --target tollward-operator --tag tollward-operator .

FROM rust:1.95.0-bookworm AS build
# The compiler of this image, instead of downloading the one that rust-toolchain.toml names with its other components.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/source/target,sharing=locked \
    cargo build --release --locked --package tollward-sidecar --package tollward-operator \
    && install -D --target-directory=/products target/release/tollward-sidecar target/release/tollward-operator

# The C library, certificate authorities, and no shell.
FROM gcr.io/distroless/cc-debian12:nonroot AS product
COPY LICENSE /licenses/LICENSE
LABEL org.opencontainers.image.source="https://github.com/tollward/tollward" \
      org.opencontainers.image.licenses="Apache-2.0"
# Egress rules tell Tollward from the server beside it by this number.
USER 64420:64420

FROM product AS tollward-operator
COPY --from=build /products/tollward-operator /usr/bin/tollward-operator
LABEL org.opencontainers.image.title="tollward-operator" \
      org.opencontainers.image.description="Runs MCP servers on Kubernetes behind Tollward"
ENTRYPOINT ["/usr/bin/tollward-operator"]

FROM product AS tollward-sidecar
COPY --from=build /products/tollward-sidecar /usr/bin/tollward-sidecar
LABEL org.opencontainers.image.title="tollward-sidecar" \
      org.opencontainers.image.description="Authorization, limits and audit in front of an MCP server"
ENTRYPOINT ["/usr/bin/tollward-sidecar"]
