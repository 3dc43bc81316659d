import { blazeFace, FULL_RANGE, SHORT_RANGE } from '../networks/blazeface.ts';
import { FACE_MESH_SIZE, faceMesh } from '../networks/face-mesh.ts';
import type { Session } from '../nn/session.ts';
import { Engine } from '../nn/session.ts';
import { input } from '../nn/value.ts';
import { readMediapipeFiles } from './mediapipe-files.ts';

/** The networks of the built-in face finder, ready to run. Inputs are bytes [B, side, side, 3] named `images`. */
export interface FaceModels {
  readonly shortRange: Session;
  readonly fullRange: Session;
  readonly mesh: Session;
  close(): Promise<void>;
}

/**
 * Loads detectors and FaceMesh from the packages that carry them. They share one thread: each runs in a
 * millisecond or a few, so that more threads would only wait for each other.
 *
 * @throws MuseTalkError MODEL_MISSING, BAD_FILE or ENGINE.
 */
export async function loadFaceModels(): Promise<FaceModels> {
  const files = await readMediapipeFiles();
  const engine = new Engine();
  const images = (side: number) => input('images', ['B', side, side, 3], 'uint8');
  try {
    const [shortRange, fullRange, mesh] = await Promise.all([
      engine.load({ ...blazeFace(files.shortRange, images(SHORT_RANGE.size)) }, { threads: 1 }),
      engine.load({ ...blazeFace(files.fullRange, images(FULL_RANGE.size)) }, { threads: 1 }),
      engine.load({ ...faceMesh(files.faceMesh, images(FACE_MESH_SIZE)) }, { threads: 1 }),
    ]);
    return { shortRange, fullRange, mesh, close: () => engine.close() };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** FaceMesh alone, for those who have faces and want to know what their lips do. @throws as `loadFaceModels` */
export async function loadFaceMesh(engine: Engine): Promise<Session> {
  const images = input('images', ['B', FACE_MESH_SIZE, FACE_MESH_SIZE, 3], 'uint8');
  return engine.load({ ...faceMesh((await readMediapipeFiles()).faceMesh, images) }, { threads: 1 });
}
