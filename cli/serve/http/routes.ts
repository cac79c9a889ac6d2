import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import type { z } from 'zod';
import { classificationJson } from '../classification.ts';
import { stoppingError } from '../engine/admission.ts';
import type { Engine } from '../engine/engine.ts';
import type { TextModel } from '../engine/text-model.ts';
import { ApiError, toApiError } from '../errors.ts';
import type { Authentication } from './authentication.ts';
import { CompletionJson } from './completion-json.ts';
import { embeddingsJson } from './embeddings-json.ts';
import type { Hosts } from './hosts.ts';
import { readJson } from './request-body.ts';
import type { RequestLog } from './request-log.ts';
import { requestSignal } from './request-signal.ts';
import { classificationSchema, completionSchema, embeddingSchema, parseBody } from './schemas.ts';

interface Environment {
  Bindings: HttpBindings;
}

export interface RouteOptions {
  readonly engine: Engine;
  readonly authentication: Authentication;
  readonly hosts: Hosts;
  /** Origins whose pages may use the server. */
  readonly origins: readonly string[];
  readonly log: RequestLog;
  /** Aborts when requests at work must end now. */
  readonly ending: AbortSignal;
  /** Aborts when no new requests are taken. */
  readonly stopping: AbortSignal;
}

/** What clients may ask for, and who may. */
export function createRoutes(options: RouteOptions): Hono<Environment> {
  const { engine, authentication, hosts, origins, log, ending, stopping } = options;
  const { limits } = engine;
  const app = new Hono<Environment>();
  const bodyOf = async <T extends z.ZodType>(schema: T, env: HttpBindings): Promise<z.output<T>> =>
    parseBody(schema, await readJson(env, limits.maxBody, stopping));

  app.use(async ({ env: { incoming, outgoing } }, next) => {
    log.start(incoming, outgoing);
    hosts.require(incoming.headersDistinct.host);
    await next();
  });
  if (origins.length > 0) {
    const allowHeaders = ['Authorization', 'Content-Type'];
    app.use(cors({ origin: [...origins], allowMethods: ['GET', 'POST', 'DELETE'], allowHeaders, maxAge: 600 }));
  }
  app.use(async ({ env: { incoming }, req }, next) => {
    if (req.path !== '/health') {
      authentication.require(incoming.headers.authorization);
      if (engine.admission.isStopping) throw stoppingError();
    }
    await next();
  });

  app.get('/health', ({ json, env }) => {
    const status = engine.admission.isStopping ? 'stopping' : 'ok';
    const isKnown = authentication.allows(env.incoming.headers.authorization);
    return json({ status, ...(isKnown && load(engine)) }, status === 'ok' ? 200 : 503);
  });

  app.get('/v1/models', ({ json }) => json({ object: 'list', data: [modelJson(engine.served)] }));
  app.get('/v1/models/:id{.+}', ({ json, req }) => json(modelJson(engine.modelNamed(req.param('id')))));

  app.post('/v1/completions', async ({ json, env }) => {
    const { outgoing } = env;
    const body = await bodyOf(completionSchema, env);
    const completion = await engine.complete(body, requestSignal(outgoing, limits.timeout, ending));
    log.usage(outgoing, () => completion.usage);
    const answer = new CompletionJson(engine.served, body, completion);
    return body.stream ? eventStream(answer.stream()) : json(await answer.whole());
  });

  app.post('/v1/embeddings', async ({ json, env }) => {
    const { outgoing } = env;
    const body = await bodyOf(embeddingSchema, env);
    const embeddings = await engine.embed(body, requestSignal(outgoing, limits.timeout, ending));
    log.usage(outgoing, () => ({ promptTokens: embeddings.numTokens, cachedTokens: 0, completionTokens: 0 }));
    return json(embeddingsJson(embeddings, engine.served.name, body.encoding_format));
  });

  app.post('/v1/classify', async ({ json, env }) => {
    const { outgoing } = env;
    const body = await bodyOf(classificationSchema, env);
    const classification = await engine.classify(body, requestSignal(outgoing, limits.timeout, ending));
    log.usage(outgoing, () => ({ promptTokens: classification.numTokens, cachedTokens: 0, completionTokens: 0 }));
    return json(classificationJson(classification, engine.served.name));
  });

  app.delete('/v1/sessions/:id', ({ json, req }) => {
    const id = req.param('id');
    if (!engine.sessions.delete(id)) throw new ApiError(404, `There is no session ${JSON.stringify(id)}.`);
    return json({ id, object: 'session', deleted: true });
  });

  const allowed = {
    '/health': 'GET, HEAD',
    '/v1/models': 'GET, HEAD',
    '/v1/models/:id{.+}': 'GET, HEAD',
    '/v1/completions': 'POST',
    '/v1/embeddings': 'POST',
    '/v1/classify': 'POST',
    '/v1/sessions/:id': 'DELETE',
  };
  for (const [path, allow] of Object.entries(allowed)) {
    app.all(path, ({ req }) => {
      throw new ApiError(405, `${req.path} takes no ${req.method}, only ${allow}.`, { headers: { allow } });
    });
  }
  app.notFound(({ req }) => new ApiError(404, `There is nothing at ${req.path}.`, { code: 'not_found' }).toResponse());
  app.onError((error) => {
    if (!(error instanceof ApiError)) log.failure(error);
    return toApiError(error).toResponse();
  });
  return app;
}

function load({ served: { model, name }, admission, scheduler, sessions }: Engine): object {
  const cpu = process.cpuUsage();
  return {
    model: name,
    active: admission.active,
    queued: admission.queued,
    sequences: scheduler.numSequences,
    sessions: sessions.size,
    tokens_fed: scheduler.tokensFed,
    backend: { name: model.backend.name, bytes: model.backend.bytesAllocated },
    resident_bytes: process.memoryUsage.rss(),
    cpu_seconds: (cpu.user + cpu.system) / 1e6,
  };
}

function modelJson({ name, created }: TextModel): object {
  return { id: name, object: 'model', created, owned_by: 'performers' };
}

function eventStream(events: AsyncGenerator<string, void, undefined>): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await events.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await events.return();
    },
  });
  const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };
  return new Response(body, { headers });
}
