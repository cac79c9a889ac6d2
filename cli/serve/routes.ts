import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { stoppingError } from './admission.ts';
import type { Authentication } from './authentication.ts';
import { CompletionJson } from './completion-json.ts';
import { embeddingsJson } from './embeddings-json.ts';
import type { Engine } from './engine.ts';
import { ApiError, toApiError } from './errors.ts';
import { readJson } from './request-body.ts';
import type { RequestLog } from './request-log.ts';
import { requestSignal } from './request-signal.ts';
import { completionSchema, embeddingSchema, parseBody } from './schemas.ts';
import type { TextModel } from './text-model.ts';

interface Environment {
  Bindings: HttpBindings;
}

export interface RouteOptions {
  readonly engine: Engine;
  readonly authentication: Authentication;
  readonly log: RequestLog;
  /** Aborts when requests at work must end now. */
  readonly ending: AbortSignal;
}

/** What clients may ask for, and who may. */
export function createRoutes({ engine, authentication, log, ending }: RouteOptions): Hono<Environment> {
  const { limits } = engine;
  const app = new Hono<Environment>();

  app.use(async ({ env: { incoming, outgoing }, req }, next) => {
    log.start(incoming, outgoing);
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

  app.post('/v1/completions', async ({ json, env: { incoming, outgoing } }) => {
    const body = parseBody(completionSchema, await readJson(incoming, limits.maxBody));
    const completion = await engine.complete(body, requestSignal(outgoing, limits.timeout, ending));
    log.usage(outgoing, () => completion.usage);
    const answer = new CompletionJson(engine.served, body, completion);
    return body.stream ? eventStream(answer.stream()) : json(await answer.whole());
  });

  app.post('/v1/embeddings', async ({ json, env: { incoming, outgoing } }) => {
    const body = parseBody(embeddingSchema, await readJson(incoming, limits.maxBody));
    const embeddings = await engine.embed(body, requestSignal(outgoing, limits.timeout, ending));
    log.usage(outgoing, () => ({ promptTokens: embeddings.numTokens, cachedTokens: 0, completionTokens: 0 }));
    return json(embeddingsJson(embeddings, engine.served.name, body.encoding_format));
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
