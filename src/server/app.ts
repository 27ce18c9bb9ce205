// The server as a function from request to answer: routes, keys, limits, log, errors. Knows no sockets.

import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import { secureHeaders } from "hono/secure-headers";
import type { Logger } from "pino";
import { checked } from "../options.ts";
import { ApiError, apiError } from "./api-error.ts";
import { type AnyRequest, type CompletionContext, type Noted, unavailable } from "./completion.ts";
import { type CompletionKind, chatCompletion, textCompletion } from "./completion-kind.ts";
import { complete } from "./completions.ts";
import { detokenize } from "./detokenize.ts";
import { elsewhere } from "./elsewhere.ts";
import { hostCheck } from "./host-check.ts";
import { Metrics } from "./metrics.ts";
import { modelOf } from "./model-lookup.ts";
import { openApi } from "./openapi.ts";
import type { ModelsReply } from "./page-api.ts";
import { type ServeOptions, serveSchema } from "./serve-options.ts";
import type { ServedModel } from "./served-model.ts";
import type { ServedModels } from "./served-models.ts";
import type { ServedStudy } from "./served-study.ts";
import { type StaticFile, staticFiles } from "./static-files.ts";
import { StatsHistory } from "./stats-history.ts";
import { tokenize, tokenizerInfo } from "./tokenizer-api.ts";

/** How requests are taken. */
export interface AppOptions extends Pick<ServeOptions, "maxBody" | "maxQueue" | "patience"> {
  readonly models: ServedModels;
  readonly logger: Logger;
  /** The address that it listens on. */
  readonly host: string;
  /** Names, beside the loopback's, by which it may be asked; none if empty. */
  readonly allowedHosts?: readonly string[];
  /** This package's version. */
  readonly version: string;
  readonly study?: ServedStudy;
  /** Keys of which one is needed; none if empty. */
  readonly apiKeys?: readonly string[];
  /** Other origins whose pages may ask; none if empty. */
  readonly corsOrigins?: readonly string[];
  /** Whether the server is ending: no new completions. */
  readonly draining?: () => boolean;
}

/** What handlers know of a request. */
interface Environment {
  Variables: { requestId: string; log: Logger };
}

/** The application. */
export function serverApp(options: AppOptions): Hono<Environment> & Disposable {
  const { models, logger, version, study, apiKeys = [], corsOrigins = [], draining = () => false } = options;
  const { maxBody, maxQueue, patience } = checked(serveSchema, options, "serve");
  const metrics = new Metrics(models);
  const history = new StatsHistory(models);
  const context: CompletionContext = { models, metrics, maxBody, maxQueue, patience };
  const files = staticFiles();
  const app = new Hono<Environment>();

  app.use(async (c, next) => {
    const given = c.req.header("x-request-id") ?? "";
    const requestId = /^[\w.-]{1,128}$/.test(given) ? given : randomUUID();
    c.set("requestId", requestId);
    c.set("log", logger.child({ requestId }));
    const start = performance.now();
    await next();
    c.res.headers.set("x-request-id", requestId);
    const { method, path } = c.req;
    const took = { method, path, status: c.res.status, ms: Math.round(performance.now() - start) };
    if (path.startsWith("/v1/")) c.var.log.info(took, "request");
    else c.var.log.debug(took, "request");
  });
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", "data:"],
      },
      strictTransportSecurity: false,
      crossOriginResourcePolicy: corsOrigins.length > 0 ? "cross-origin" : "same-origin",
    }),
  );
  app.use(hostCheck({ host: options.host, allowedHosts: options.allowedHosts ?? [], corsOrigins }));
  if (corsOrigins.length > 0) {
    const origin = corsOrigins.includes("*") ? "*" : [...corsOrigins];
    app.use(cors({ origin, exposeHeaders: ["x-request-id", "retry-after"] }));
  }
  const checkKey = keyCheck(apiKeys);
  for (const path of ["/v1/*", "/api/*", "/metrics", "/tokenize", "/detokenize", "/tokenizer_info"]) {
    app.use(path, async (c, next) => {
      checkKey(c.req.header("authorization"));
      await next();
    });
  }
  app.get("/v1/models", (c) => c.json({ object: "list", data: models.all.map(modelObject) }));
  app.get("/v1/models/:id{.+}", (c) => c.json(modelObject(modelOf(c.req.param("id"), models))));
  const completion =
    <Request extends AnyRequest>(kind: CompletionKind<Request>) =>
    async (c: Context<Environment>) => {
      if (draining()) {
        throw new ApiError(503, "the server is ending; ask another", { headers: { connection: "close" } });
      }
      return complete(kind, c.req.raw, context, noteTo(c.var.log));
    };
  app.post("/v1/completions", completion(textCompletion));
  app.post("/v1/chat/completions", completion(chatCompletion));
  app.post("/tokenize", (c) => tokenize(c.req.raw, models, maxBody));
  app.get("/tokenizer_info", (c) => tokenizerInfo(c.req.query("model"), models));
  app.post("/detokenize", (c) => detokenize(c.req.raw, models, maxBody));
  app.get("/version", (c) => c.json({ version }));

  app.get("/health", (c) => {
    const unhealthy = models.all.filter((model) => !model.healthy).map(({ id }) => id);
    if (draining()) return c.json({ status: "draining" }, 503);
    return unhealthy.length > 0 ? c.json({ status: "unhealthy", models: unhealthy }, 503) : c.json({ status: "ok" });
  });
  app.get("/metrics", async (c) => {
    const { type, body } = await metrics.text();
    return c.body(body, 200, { "content-type": type });
  });
  let description: object | undefined; // made once, for that takes a while
  app.get("/openapi.json", (c) => {
    description ??= openApi(version, apiKeys.length > 0);
    return c.json(description);
  });

  app.get("/api/models", (c) => {
    const cards = models.all.map(({ card }) => card);
    return c.json({ models: cards, study: study !== undefined, kvMemory: models.kvMemory } satisfies ModelsReply);
  });
  app.post("/api/models/:id{.+}/load", async (c) => {
    const model = modelOf(c.req.param("id"), models);
    await models.load(model.id).catch(unavailable(model));
    return c.json(model.card);
  });
  app.get("/api/stats", (c) => c.json(history.reply(Number(c.req.query("since") ?? 0) || 0)));
  app.get("/api/study", async (c) => {
    if (!study) throw new ApiError(404, "no study is served; start with --study <directory>");
    const { tag, body } = await study.reply().catch((cause) => {
      throw new ApiError(500, "the study's files cannot be read; the server's log says why", { cause });
    });
    const headers = { etag: tag, "cache-control": "no-cache", "content-type": "application/json" };
    if (c.req.header("if-none-match") === tag) return c.body(null, 304, headers);
    return c.body(body, 200, headers);
  });
  app.get("*", (c) => {
    const file = files.get(c.req.path);
    if (file) return fileResponse(file, /\bgzip\b/.test(c.req.header("accept-encoding") ?? ""));
    return nothingAt(c);
  });
  const nothingAt = ({ req: { method, path } }: Context<Environment>) => {
    const told = elsewhere(path);
    if (told) return told.response;
    const pattern = path.startsWith("/v1/models/") ? "/v1/models/:id{.+}" : path;
    const taken = app.routes.filter((route) => route.path === pattern && route.method !== "ALL");
    const allowed = new Set([...taken.map((route) => route.method), ...(files.has(path) ? ["GET"] : [])]);
    if (allowed.size > 0) {
      const headers = { allow: [...allowed].join(", ") };
      return new ApiError(405, `${path} does not take ${method}; see /docs`, { headers }).response;
    }
    return new ApiError(404, `there is nothing at ${method} ${path.slice(0, 200)}; see /docs`).response;
  };
  app.notFound(nothingAt);
  app.onError((error, c) => {
    if (error instanceof HTTPException) return error.getResponse();
    const told = apiError(error);
    if (told.status === 500) c.var.log.error({ err: error }, "failed"); // with its cause
    return told.response;
  });
  return Object.assign(app, { [Symbol.dispose]: () => history[Symbol.dispose]() });
}

function modelObject({ id, created, card }: ServedModel) {
  return { id, object: "model", created, owned_by: "crosslayer", max_model_len: card.config.context };
}

/** Logs the end of a completion: what it took, nothing that was said. */
function noteTo(log: Logger) {
  return ({ error, ...noted }: Noted) => {
    const told = error === undefined ? undefined : apiError(error);
    if (told && told.status >= 500) log.error({ ...noted, err: error }, "completion failed");
    else log.info({ ...noted, ...(told && { status: told.status, code: told.code, param: told.param }) }, "completion");
  };
}

/** Compares keys by hashes of one length, in a time that tells nothing of them. */
function keyCheck(keys: readonly string[]): (authorization: string | undefined) => void {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const digests = keys.map(digest);
  return (authorization) => {
    if (digests.length === 0) return;
    const key = /^Bearer\s+(.+)$/i.exec(authorization ?? "")?.[1];
    const given = digest(key ?? "");
    const right = digests.reduce((found, known) => timingSafeEqual(known, given) || found, false);
    if (right && key !== undefined) return;
    throw new ApiError(401, "authorization: a key is needed, as Authorization: Bearer <key>", {
      code: "invalid_api_key",
      headers: { "www-authenticate": "Bearer" },
    });
  };
}

function fileResponse(file: StaticFile, gzip: boolean): Response {
  return new Response(gzip ? file.gzipped : file.body, {
    headers: {
      "content-type": file.type,
      vary: "accept-encoding",
      ...(gzip && { "content-encoding": "gzip" }),
      "cache-control": file.hashed ? "public, max-age=31536000, immutable" : "no-cache",
    },
  });
}
