// What a TypeScript client writes: it must type-check against the generated types.
import type { components, paths } from "./api";

type Body<P extends keyof paths> = paths[P] extends {
  post: { requestBody?: { content: { "application/json": infer B } } };
}
  ? B
  : never;

export const video: Body<"/v1/videos"> = { prompt: "A paper boat", scenes: 2, output: { fps: 30 } };
export const story: Body<"/api/generate_story"> = { prompt: "A kite", frameCount: 1 };

export const nothing: paths["/v1/videos/{video_id}/cancel"]["post"]["requestBody"] = undefined;

type Upload = paths["/api/upload_image"]["post"]["requestBody"]["content"];
export const form: Upload["multipart/form-data"] = { file: "bytes", requestId: "a" };
export const json: Upload["application/json"] = { image: "base64" };

type Made = components["schemas"]["GeneratedStory"];
export function title(made: Made): string {
  const good: boolean = made.success;
  return good ? made.story.title : "";
}

export function place(video: components["schemas"]["VideoObject"]): string | null {
  const kind: "video" = video.object;
  return video.output?.url ?? kind;
}
