# bookend as an image: nothing but the program, its configuration and the certificates of authorities; not root.
#
#   docker build -t bookend .
#   docker run -p 8080:8080 -v ./bookend.yaml:/etc/bookend/bookend.yaml:ro bookend
FROM rust:1.89-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /bookend
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY benches benches
COPY docs/openapi.json docs/openapi.json
RUN cargo build --locked --release --bin bookend

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /bookend/target/release/bookend /usr/bin/bookend
COPY conf/bookend.yaml /etc/bookend/bookend.yaml
# The user of the image, by number so that Kubernetes sees that it is not root.
USER 65532:65532
# What is remembered: mount a volume here, or it is forgotten with the container.
ENV STATE_DIRECTORY=/tmp/bookend
EXPOSE 8080
ENTRYPOINT ["/usr/bin/bookend"]
CMD ["run", "-c", "/etc/bookend/bookend.yaml"]
