import type { Image } from '../image/image.ts';
import { distance } from './choice.ts';
import { detectFaces, type Face } from './detect.ts';
import type { FaceFinder, FoundFace } from './finder.ts';
import { landmarks68 } from './landmarks68.ts';
import { boxOfMesh, landmarksOf, squareOfFace, squareOfMesh } from './mesh.ts';
import type { FaceModels } from './models.ts';
import type { FaceSight } from './shot.ts';
import type { Square } from './square.ts';
import { trackFace } from './track.ts';

/** FaceMesh takes its own word for "here is a face" from this presence on. */
const MIN_PRESENCE = 0.5;

/** Rounds of looking where the last one found the mesh, after a detection. */
const ROUNDS = 3;

/** The finder that needs no other weights than npm brings: BlazeFace and FaceMesh. It owns `models`. */
export function builtinFinder(models: FaceModels): FaceFinder {
  return {
    kind: 'builtin',
    find: (frames, options, signal) => trackFace(meshSight(models, signal), frames, options, signal),
    close: () => models.close(),
  };
}

/** A face and where to look for it in the next frame. */
interface MeshFace extends FoundFace {
  readonly square: Square;
}

function meshSight(models: FaceModels, signal: AbortSignal | undefined): FaceSight<Face, MeshFace> {
  const look = async (picture: Image, square: Square): Promise<MeshFace | undefined> => {
    const [seen] = await landmarksOf(models, picture, [square], signal);
    const { mesh, presence } = seen!;
    if (!(presence >= MIN_PRESENCE)) return undefined;
    const box = boxOfMesh(mesh);
    return { landmarks: landmarks68(mesh), box, score: presence, mesh, square: squareOfMesh(mesh) };
  };
  return {
    detect: (picture, thorough) => detectFaces(models, picture, { thorough, signal }),
    acquire: async (picture, face) => {
      let found = await look(picture, squareOfFace(face));
      for (let round = 1; round < ROUNDS && found; round++) found = await look(picture, found.square);
      return found;
    },
    follow: async (picture, last) => {
      const found = await look(picture, last.square);
      return found && { ...found, square: steadied(last.square, found.square) };
    },
  };
}

/**
 * A square on the way to where the face is now: the nearer, the less of the way, so that noise of the landmarks
 * does not shake the cut that the next landmarks are found in. A third of the square is margin, so lag is no harm.
 */
function steadied(from: Square, to: Square): Square {
  const turn = Math.atan2(Math.sin(to.angle - from.angle), Math.cos(to.angle - from.angle));
  const away = Math.max(
    distance(from.centre, to.centre) / (0.05 * from.side),
    Math.abs(to.side - from.side) / (0.1 * from.side),
    Math.abs(turn) / 0.1,
  );
  const share = Math.min(Math.max(away, 0.1), 1);
  return {
    centre: {
      x: from.centre.x + share * (to.centre.x - from.centre.x),
      y: from.centre.y + share * (to.centre.y - from.centre.y),
    },
    side: from.side + share * (to.side - from.side),
    angle: from.angle + share * turn,
  };
}
